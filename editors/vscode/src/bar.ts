// The item in the status bar and the menu that it opens.

import * as vscode from "vscode";
import type { ServerControl } from "./server";
import { barText, spoken, tooltip } from "./status";
import { ANSWER_MS, within } from "./within";

const COLOURS: Partial<Record<string, string>> = {
  error: "statusBarItem.errorBackground",
  missing: "statusBarItem.warningBackground",
  stopped: "statusBarItem.warningBackground",
};

export function makeBar(server: ServerControl): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("guiderail.status", vscode.StatusBarAlignment.Right, 100);
  item.name = "guiderail";
  item.command = "guiderail.menu";
  const show = () => {
    const colour = COLOURS[server.state];
    item.text = barText(server.state);
    item.tooltip = tooltip(server.state, server.status);
    item.accessibilityInformation = { label: spoken(server.state) };
    item.backgroundColor = colour === undefined ? undefined : new vscode.ThemeColor(colour);
  };
  show();
  item.show();
  return vscode.Disposable.from(item, server.onDidChange(show));
}

interface Entry extends vscode.QuickPickItem {
  command?: string;
  words?: unknown[];
}

/** What turns all suggestions on or off; its words say how they are now. */
function switches(enabled: boolean, snoozed: string | null | undefined): Entry[] {
  if (!enabled) {
    return [{ label: "$(check) Turn on", description: "they are off", command: "guiderail.toggleGlobal" }];
  }
  const off = { label: "$(circle-slash) Turn off", description: "they are on", command: "guiderail.toggleGlobal" };
  return snoozed
    ? [{ label: "$(bell) End the snooze", description: `they are off until ${snoozed}`, command: "guiderail.endSnooze" }]
    : [off, { label: "$(bell-slash) Snooze…", command: "guiderail.snoozeFor" }];
}

/** How many minutes to snooze, as the person chooses. */
export async function askMinutes(): Promise<number | undefined> {
  const choices = [5, 30, 60].map((minutes) => ({ label: `${minutes} minutes`, minutes }));
  return (await vscode.window.showQuickPick(choices, { placeHolder: "No suggestions for" }))?.minutes;
}

async function entries(server: ServerControl): Promise<Entry[]> {
  const document = vscode.window.activeTextEditor?.document;
  const configuration = vscode.workspace.getConfiguration("guiderail", document?.uri);
  if (server.state === "missing") {
    return [
      { label: "$(cloud-download) Install the server…", command: "guiderail.installServer" },
      { label: "$(gear) Settings", command: "workbench.action.openSettings", words: ["guiderail.serverPath"] },
    ];
  }
  const language = document && (await within(ANSWER_MS, server.language(document)));
  return [
    ...switches(configuration.get<boolean>("enable", true), server.status?.snoozed),
    ...(document === undefined || language === undefined
      ? []
      : [{ label: `$(symbol-misc) Turn ${language.enabled ? "off" : "on"} for ${document.languageId}`, command: "guiderail.toggleLanguage" }]),
    ...(language?.file === undefined ? [] : [{ label: `$(file) Turn ${language.file ? "off" : "on"} for this file`, command: "guiderail.toggleFile" }]),
    { label: "$(comment-discussion) Why is there no suggestion?", command: "guiderail.whyNothing" },
    { label: "$(graph) Statistics", command: "guiderail.showStats" },
    { label: "$(question) Explain the last suggestion", command: "guiderail.explainLast" },
    { label: "$(output) Show the log", command: "guiderail.openLog" },
    { label: "$(debug-restart) Restart the server", command: "guiderail.restartServer" },
    { label: "$(gear) Settings", command: "workbench.action.openSettings", words: ["guiderail."] },
  ];
}

export async function showMenu(server: ServerControl): Promise<void> {
  const placeHolder = tooltip(server.state, server.status).split("\n").join(" · ");
  const picked = await vscode.window.showQuickPick(entries(server), { placeHolder });
  if (picked?.command !== undefined) {
    await vscode.commands.executeCommand(picked.command, ...(picked.words ?? []));
  }
}
