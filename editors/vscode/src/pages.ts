// Pages of the server's own words: read-only documents, written anew each time they are asked for.

import * as vscode from "vscode";
import type { ServerControl } from "./server";

const SCHEME = "guiderail";
const LANGUAGE = "guiderail-page"; // whose lines package.json has wrapped

/** The pages, by the server's command that writes each. */
const PAGES = { why: "Why Is There No Suggestion", stats: "Statistics" } as const;

export type Page = keyof typeof PAGES;

function uriOf(page: Page): vscode.Uri {
  return vscode.Uri.from({ scheme: SCHEME, path: PAGES[page] });
}

export class Pages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  readonly onDidChange = this.changed.event;

  constructor(private readonly server: ServerControl) {}

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? "";
  }

  async show(page: Page): Promise<void> {
    const uri = await this.write(page);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.languages.setTextDocumentLanguage(document, LANGUAGE);
    await vscode.window.showTextDocument(document, { preview: true });
  }

  /** Write a page anew that was shown, and may be open. */
  async refresh(page: Page): Promise<void> {
    if (this.texts.has(uriOf(page).toString())) {
      await this.write(page);
    }
  }

  private async write(page: Page): Promise<vscode.Uri> {
    const answer = await this.server.execute<{ text: string }>(page);
    const uri = uriOf(page);
    this.texts.set(uri.toString(), answer?.text ?? "No server is running.\n");
    this.changed.fire(uri);
    return uri;
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}
