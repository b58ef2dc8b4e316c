// The language client's life: find the server, start it, follow its status, stop it.

import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import {
  CloseAction,
  DidChangeConfigurationNotification,
  LanguageClient,
  State as Running,
  TransportKind,
  type ErrorHandler,
} from "vscode-languageclient/node";
import { apart, findServer, type Searched, type Server } from "./discovery";
import type { Found } from "./nextEdit";
import { refusal } from "./refusal";
import { chosen, propertiesOf, type Manifest } from "./settings";
import { stateOf, type State, type Status } from "./status";
import { Turns } from "./turns";
import { within } from "./within";

const SECTION = "guiderail";
const START_MS = 10_000; // that others wait for a start; it goes on, but may be given up then

/** What the server says of a language: whether it gets suggestions, and the settings that turn that round. */
export interface Language {
  enabled: boolean;
  turned: Record<string, string[]>;
  /** Whether the document gets suggestions as far as it decides itself; of an open one. */
  file?: boolean;
}

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
  private readonly turns = new Turns();
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private readonly nextEdits = new vscode.EventEmitter<number>();
  /** There are so many next edits now, others than before. */
  readonly onDidChangeNextEdits = this.nextEdits.event;
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

  private get searched(): Searched {
    return {
      folders: (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath),
      trusted: vscode.workspace.isTrusted,
      path: process.env.PATH ?? "",
      windows: process.platform === "win32",
    };
  }

  /** The environment for other programs than the server. */
  get variables(): NodeJS.ProcessEnv {
    return apart(this.searched, process.env);
  }

  find(): Server | undefined {
    return findServer({
      ...this.searched,
      serverPath: vscode.workspace.getConfiguration(SECTION).get("serverPath", "").trim(),
      ownEnvironment: this.ownEnvironment,
      isProgram,
    });
  }

  /** Start the server; false if there is none. */
  start(): Promise<boolean> {
    return this.turns.take("start", () => this.begin());
  }

  /** Start the server anew, after a start that is under way; false if there is none. */
  restart(): Promise<boolean> {
    return this.turns.take("restart", async () => {
      await this.end();
      return this.begin();
    });
  }

  private async begin(): Promise<boolean> {
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
      this.set(stateOf(status), status);
    });
    client.onNotification("guiderail/didChangeNextEdit", ({ count }: { count: number }) => {
      this.nextEdits.fire(count);
    });
    const failed = (problem: unknown) => {
      this.log.error(String(problem));
      if (this.client === client) {
        this.set("stopped");
      }
    };
    const started = client.start().then(() => this.refresh(), failed);
    await within(START_MS, started);
    return true;
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    try {
      await client?.dispose();
    } catch (problem) {
      this.log.warn(String(problem)); // a server that does not answer; its process is ended all the same
    }
  }

  /** Ask for the status of the document in front. */
  async refresh(): Promise<void> {
    const client = this.client;
    if (client?.state !== Running.Running) {
      return;
    }
    try {
      const uri = vscode.window.activeTextEditor?.document.uri.toString();
      const status = await client.sendRequest<Status>("guiderail/status", { uri });
      if (this.client === client) {
        this.set(stateOf(status), status);
      }
    } catch (problem) {
      this.log.warn(String(problem)); // the server ended meanwhile
    }
  }

  /** How the language of a document stands; undefined where no server tells. */
  async language({ uri, languageId }: vscode.TextDocument): Promise<Language | undefined> {
    if (this.client?.state !== Running.Running) {
      return undefined;
    }
    try {
      return await this.client.sendRequest<Language>("guiderail/language", { uri: uri.toString(), language: languageId });
    } catch (problem) {
      this.log.warn(String(problem)); // the server ended meanwhile, or is an older one
      return undefined;
    }
  }

  /** The next edit as seen from a cursor; undefined where no server tells. */
  async nextEdit({ uri }: vscode.TextDocument, { line, character }: vscode.Position): Promise<Found | undefined> {
    if (this.client?.state !== Running.Running) {
      return undefined;
    }
    try {
      const place = { textDocument: { uri: this.client.code2ProtocolConverter.asUri(uri) }, position: { line, character } };
      return await this.client.sendRequest<Found>("guiderail/nextEdit", place);
    } catch (problem) {
      this.log.warn(String(problem)); // the server ended meanwhile, or is an older one
      return undefined;
    }
  }

  /** Run one of the server's commands; undefined while no server runs. What it refuses is an error with the reason. */
  async execute<T>(name: string, ...words: unknown[]): Promise<T | undefined> {
    const client = this.client;
    if (client?.state !== Running.Running) {
      return undefined;
    }
    const command = `${SECTION}.${name}`;
    try {
      return await client.sendRequest<T>("workspace/executeCommand", { command, arguments: words });
    } catch (problem) {
      this.log.warn(`${command}: ${String(problem)}`);
      const known = client.initializeResult?.capabilities.executeCommandProvider?.commands;
      throw new Error(refusal(command, known, problem), { cause: problem });
    }
  }

  dispose(): void {
    this.changed.dispose();
    this.nextEdits.dispose();
    void this.turns.take("stop", () => this.end());
  }

  private set(state: State, status?: Status): void {
    this.state = state;
    this.status = status;
    this.changed.fire();
  }

  /** What the person has set; and whether suggestions come in the menu, which is where there is no ghost text. */
  private options(place?: vscode.Uri): Record<string, unknown> {
    const properties = propertiesOf(this.context.extension.packageJSON as Manifest);
    const configuration = vscode.workspace.getConfiguration(SECTION, place);
    const keys = Object.keys(properties).map((key) => key.slice(SECTION.length + 1));
    const ghost = vscode.workspace.getConfiguration("editor", place).get<boolean>("inlineSuggest.enabled", true);
    return { menu: !ghost, ...chosen(keys, (key) => configuration.inspect(key)) };
  }

  /** As usual, but that a client which was given up is not started again when its server ends. */
  private errorHandler(client: () => LanguageClient): ErrorHandler {
    let usual: ErrorHandler | undefined;
    const handler = () => (usual ??= client().createDefaultErrorHandler());
    return {
      error: (error, message, count) => handler().error(error, message, count),
      closed: () =>
        this.client === client() ? handler().closed() : { action: CloseAction.DoNotRestart, handled: true },
    };
  }

  private makeClient(server: Server): LanguageClient {
    const client: LanguageClient = new LanguageClient(
      SECTION,
      "guiderail",
      {
        command: server.command,
        args: ["lsp"],
        transport: TransportKind.stdio,
        // Else it starts in the workspace, where an empty entry of PYTHONPATH would have Python import from it.
        options: { cwd: path.dirname(process.execPath) },
      },
      {
        // Any language: the server decides, by its own settings.
        documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }],
        initializationOptions: this.options(),
        outputChannel: this.log,
        errorHandler: this.errorHandler(() => client),
        middleware: {
          workspace: {
            configuration: async (params, token, next) => {
              const answers = (await next(params, token)) as unknown[];
              return params.items.map(({ section, scopeUri }, i) =>
                section === SECTION
                  ? this.options(scopeUri === undefined ? undefined : client.protocol2CodeConverter.asUri(scopeUri))
                  : answers[i],
              );
            },
            // The server asks then, folder by folder.
            didChangeConfiguration: () =>
              client.sendNotification(DidChangeConfigurationNotification.type, { settings: null }),
          },
        },
      },
    );
    return client;
  }
}
