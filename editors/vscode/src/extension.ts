// The entry point: makes the parts and connects the commands. The server's own commands (guiderail.accept and others)
// are registered by the language client, so those here have names of their own.

import * as vscode from "vscode";
import { askMinutes, makeBar, showMenu } from "./bar";
import { sourceOf } from "./discovery";
import { offerInstall } from "./install";
import { NextEdits } from "./nextEdits";
import { Pages } from "./pages";
import { ServerControl } from "./server";
import { scopeOf, type Scope } from "./settings";
import { turning } from "./status";
import { ANSWER_MS, within } from "./within";

type Handler = (argument?: unknown) => unknown;

const TARGETS: Record<Scope, vscode.ConfigurationTarget> = {
  folder: vscode.ConfigurationTarget.WorkspaceFolder,
  workspace: vscode.ConfigurationTarget.Workspace,
  user: vscode.ConfigurationTarget.Global,
};
const TOLD_MS = 5000;

/** The settings as they count for the file in front. */
function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("guiderail", vscode.window.activeTextEditor?.document.uri);
}

/** Set a value where it counts, and say so where that is not the person's own settings. */
async function write(key: string, value: unknown): Promise<void> {
  const scope = scopeOf(configuration().inspect(key));
  await configuration().update(key, value, TARGETS[scope]);
  if (scope !== "user") {
    vscode.window.setStatusBarMessage(`guiderail.${key} is changed in the settings of the ${scope}`, TOLD_MS);
  }
}

async function installServer(server: ServerControl, log: vscode.LogOutputChannel): Promise<void> {
  const source = sourceOf(configuration().get("installSource", ""), server.bundled);
  if (await offerInstall(source, server.ownEnvironment, server.variables, log)) {
    await server.restart();
  }
}

async function snooze(server: ServerControl, minutes: number | undefined): Promise<void> {
  if (minutes !== undefined && (await server.execute("snooze", { minutes })) === undefined) {
    vscode.window.setStatusBarMessage("guiderail: no server is running", TOLD_MS);
  }
}

async function resetStats(server: ServerControl, pages: Pages): Promise<void> {
  const yes = "Forget Them";
  const question = "Forget how many suggestions were shown and accepted?";
  if ((await vscode.window.showWarningMessage(question, { modal: true }, yes)) !== yes) {
    return;
  }
  const answer = await server.execute("stats", { reset: true });
  const said = answer === undefined ? "no server is running" : "the counts are forgotten";
  vscode.window.setStatusBarMessage(`guiderail: ${said}`, TOLD_MS);
  await pages.refresh("stats");
}

async function toggleGlobal(server: ServerControl): Promise<void> {
  const { endSnooze, enable } = turning(configuration().get<boolean>("enable", true), server.status?.snoozed);
  if (endSnooze) {
    await snooze(server, 0);
  }
  if (enable !== undefined) {
    await write("enable", enable);
  }
}

async function toggleLanguage(server: ServerControl): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined) {
    return;
  }
  const language = await server.language(document);
  if (language === undefined) {
    vscode.window.setStatusBarMessage("guiderail: no server is running that knows of languages", TOLD_MS);
    return;
  }
  for (const [key, value] of Object.entries(language.turned)) {
    await write(key, value);
  }
}

async function toggleFile(server: ServerControl): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri.toString();
  await server.execute("toggle", { scope: "file", uri });
  await server.refresh();
}

async function openLog(server: ServerControl, log: vscode.LogOutputChannel): Promise<void> {
  const answer = await within(ANSWER_MS, server.execute<{ path: string }>("showLog").catch(() => undefined));
  if (answer === undefined) {
    log.show();
  } else {
    await vscode.window.showTextDocument(vscode.Uri.file(answer.path));
  }
}

async function explainLast(server: ServerControl): Promise<void> {
  const answer = await server.execute("explain");
  const content = JSON.stringify(answer ?? { message: "no server is running" }, null, 2);
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: "json", content }));
}

async function restartServer(server: ServerControl, log: vscode.LogOutputChannel): Promise<void> {
  if (!(await server.restart())) {
    await installServer(server, log);
  }
}

/** A handler whose failure is told in one line. */
function told(run: Handler): Handler {
  return async (argument) => {
    try {
      return await run(argument);
    } catch (problem) {
      void vscode.window.showWarningMessage(`guiderail: ${problem instanceof Error ? problem.message : String(problem)}`);
      return undefined;
    }
  };
}

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("guiderail", { log: true });
  const server = new ServerControl(context, log);
  const pages = new Pages(server);
  const nextEdits = new NextEdits(server);
  const handlers: Record<string, Handler> = {
    menu: () => showMenu(server),
    installServer: () => installServer(server, log),
    toggleGlobal: () => toggleGlobal(server),
    toggleLanguage: () => toggleLanguage(server),
    toggleFile: () => toggleFile(server),
    snoozeFor: async (minutes: unknown) => snooze(server, typeof minutes === "number" ? minutes : await askMinutes()),
    endSnooze: () => snooze(server, 0),
    whyNothing: () => pages.show("why"),
    showStats: () => pages.show("stats"),
    resetStats: () => resetStats(server, pages),
    acceptLine: () => vscode.commands.executeCommand("editor.action.inlineSuggest.acceptNextLine"),
    takeNextEdit: () => nextEdits.take(),
    rejectNextEdit: () => nextEdits.dismiss(),
    openLog: () => openLog(server, log),
    explainLast: () => explainLast(server),
    restartServer: () => restartServer(server, log),
  };
  const commands = Object.entries(handlers).map(([name, run]) => vscode.commands.registerCommand(`guiderail.${name}`, told(run)));
  context.subscriptions.push(
    log,
    server,
    pages,
    nextEdits,
    makeBar(server),
    ...commands,
    vscode.window.onDidChangeActiveTextEditor(() => server.refresh()),
    vscode.workspace.onDidGrantWorkspaceTrust(() => (server.state === "missing" ? server.restart() : undefined)),
    vscode.workspace.onDidChangeConfiguration((change) =>
      ["guiderail.serverPath", "editor.inlineSuggest.enabled"].some((key) => change.affectsConfiguration(key))
        ? server.restart()
        : undefined,
    ),
  );
  if (!(await server.start())) {
    const install = "Install…";
    const wrong = configuration().get<string>("serverPath", "") !== "";
    const text = wrong ? "guiderail.serverPath names no program." : "guiderail's language server was not found.";
    void vscode.window.showWarningMessage(text, install).then((answer) => {
      if (answer === install) {
        void installServer(server, log);
      }
    });
  }
}
