// The language client's life: find the server, start it, follow its status, stop it.

import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { DidChangeConfigurationNotification, LanguageClient, State as Running, TransportKind } from "vscode-languageclient/node";
import { findServer, type Server } from "./discovery";
import { chosen } from "./settings";
import type { State, Status } from "./status";

const SECTION = "guiderail";

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

export class ServerControl implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  state: State = "missing";
  status: Status | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  get ownEnvironment(): string {
    return vscode.Uri.joinPath(this.context.globalStorageUri, "server").fsPath;
  }

  /** The files that came with the extension for its server. */
  get bundled(): string[] {
    const folder = this.context.asAbsolutePath("server");
    return fs.existsSync(folder) ? fs.readdirSync(folder).map((name) => path.join(folder, name)) : [];
  }

  find(): Server | undefined {
    return findServer({
      serverPath: vscode.workspace.getConfiguration(SECTION).get("serverPath", "").trim(),
      folders: (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath),
      trusted: vscode.workspace.isTrusted,
      path: process.env.PATH ?? "",
      ownEnvironment: this.ownEnvironment,
      windows: process.platform === "win32",
      isProgram,
    });
  }

  /** Start the server; false if there is none. */
  async start(): Promise<boolean> {
    const server = this.find();
    if (server === undefined) {
      this.set("missing");
      return false;
    }
    this.log.info(`server: ${server.command} (${server.source})`);
    this.set("loading");
    const client = this.makeClient(server);
    this.client = client;
    client.onDidChangeState(({ newState }) => {
      if (newState === Running.Stopped && this.client === client) {
        this.set("stopped");
      }
    });
    client.onNotification("guiderail/didChangeStatus", (status: Status) => {
      this.set(status.state, status);
    });
    try {
      await client.start();
    } catch (problem) {
      this.log.error(String(problem));
      this.set("stopped");
    }
    return true;
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose();
  }

  async restart(): Promise<boolean> {
    await this.stop();
    return this.start();
  }

  /** Ask for the status of the document in front. */
  async refresh(): Promise<void> {
    if (this.client?.state === Running.Running) {
      const uri = vscode.window.activeTextEditor?.document.uri.toString();
      const status = await this.client.sendRequest<Status>("guiderail/status", { uri });
      this.set(status.state, status);
    }
  }

  /** Run one of the server's commands; undefined while no server runs. */
  async execute<T>(command: string, ...words: unknown[]): Promise<T | undefined> {
    if (this.client?.state !== Running.Running) {
      return undefined;
    }
    return this.client.sendRequest<T>("workspace/executeCommand", { command: `guiderail.${command}`, arguments: words });
  }

  dispose(): void {
    this.changed.dispose();
    void this.stop();
  }

  private set(state: State, status?: Status): void {
    this.state = state;
    this.status = status;
    this.changed.fire();
  }

  /** What the person has set; and whether suggestions come in the menu, which is where there is no ghost text. */
  private options(): Record<string, unknown> {
    const properties = (this.context.extension.packageJSON as { contributes: { configuration: { properties: object } } })
      .contributes.configuration.properties;
    const configuration = vscode.workspace.getConfiguration(SECTION);
    const keys = Object.keys(properties).map((key) => key.slice(SECTION.length + 1));
    const ghost = vscode.workspace.getConfiguration("editor").get<boolean>("inlineSuggest.enabled", true);
    return { menu: !ghost, ...chosen(keys, (key) => configuration.inspect(key)) };
  }

  private makeClient(server: Server): LanguageClient {
    const client: LanguageClient = new LanguageClient(
      SECTION,
      "guiderail",
      { command: server.command, args: ["lsp"], transport: TransportKind.stdio },
      {
        // Any language: the server decides, by its own settings.
        documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }],
        initializationOptions: this.options(),
        outputChannel: this.log,
        middleware: {
          workspace: {
            configuration: async (params, token, next) => {
              const answers = (await next(params, token)) as unknown[];
              return params.items.map((item, i) => (item.section === SECTION ? this.options() : answers[i]));
            },
            didChangeConfiguration: () =>
              client.sendNotification(DidChangeConfigurationNotification.type, { settings: { guiderail: this.options() } }),
          },
        },
      },
    );
    return client;
  }
}
