// Next edits: what follows from a change elsewhere, one at a time. VS Code lets only its own extensions show inline
// edits away from the cursor, so these are decorations, with a key that goes there and makes the edit.

import * as vscode from "vscode";
import { counted, isAt, label, type NextEdit } from "./nextEdit";
import type { ServerControl } from "./server";

const SHOWN = "guiderail.hasNextEdit"; // the context keys of Escape, and of Tab
const TAKEN = "guiderail.tabTakesNextEdit";

export class NextEdits implements vscode.Disposable {
  private edit: NextEdit | undefined;
  private count = 0;
  private asked = 0; // the number of the last request: an answer to an older one is not looked at
  private readonly gone = vscode.window.createTextEditorDecorationType({
    textDecoration: "line-through",
    backgroundColor: new vscode.ThemeColor("diffEditor.removedTextBackground"),
  });
  private readonly come = vscode.window.createTextEditorDecorationType({});
  private readonly hint = vscode.window.createTextEditorDecorationType({});
  private readonly parts: vscode.Disposable[];

  constructor(private readonly server: ServerControl) {
    this.parts = [
      server.onDidChangeNextEdits((count) => {
        if (count > 0) {
          void this.refresh();
        } else {
          this.forget();
        }
      }),
      vscode.workspace.onDidChangeTextDocument((change) => {
        if (change.contentChanges.length > 0 && change.document.uri.scheme === "file") {
          this.forget(); // the server looks again once the text rests
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        void (this.edit && this.refresh());
      }),
      vscode.window.onDidChangeTextEditorVisibleRanges(() => {
        this.showAgain();
      }),
      vscode.window.onDidChangeTextEditorSelection(() => {
        this.showAgain();
      }),
    ];
  }

  /** Go to the edit; if the cursor is on its line, make it. */
  async take(): Promise<void> {
    const edit = this.edit;
    if (edit === undefined) {
      return;
    }
    const uri = vscode.Uri.parse(edit.textDocument.uri);
    const editor = vscode.window.activeTextEditor;
    if (editor !== undefined && isIn(edit, editor.document) && isAt(edit, editor.selection.active.line)) {
      this.forget();
      await this.apply(editor, edit);
    } else {
      const at = rangeOf(edit).start;
      const shown = await vscode.window.showTextDocument(uri, { selection: new vscode.Range(at, at) });
      shown.revealRange(rangeOf(edit), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
      await this.refresh();
    }
  }

  /** Propose nothing more of what follows from this change. */
  async dismiss(): Promise<void> {
    this.forget();
    await this.server.execute("dismissNextEdit");
  }

  dispose(): void {
    for (const part of [...this.parts, this.gone, this.come, this.hint]) {
      part.dispose();
    }
  }

  private async apply(editor: vscode.TextEditor, edit: NextEdit): Promise<void> {
    const version = edit.textDocument.version;
    if (version !== null && version !== editor.document.version) {
      return;
    }
    await editor.edit((builder) => {
      builder.replace(rangeOf(edit), edit.text);
    });
  }

  private async refresh(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const mine = ++this.asked;
    const found = editor && (await this.server.nextEdit(editor.document, editor.selection.active));
    if (mine === this.asked) {
      this.edit = found?.edit ?? undefined;
      this.count = found?.count ?? 0;
      this.show();
    }
  }

  private forget(): void {
    this.asked++;
    this.edit = undefined;
    this.show();
  }

  private showAgain(): void {
    if (this.edit !== undefined) {
      this.show();
    }
  }

  private show(): void {
    const edit = this.edit;
    void vscode.commands.executeCommand("setContext", SHOWN, edit !== undefined);
    void vscode.commands.executeCommand("setContext", TAKEN, edit !== undefined && !this.indents(edit));
    for (const editor of vscode.window.visibleTextEditors) {
      const here = edit !== undefined && isIn(edit, editor.document) ? edit : undefined;
      editor.setDecorations(this.gone, here ? [rangeOf(here)] : []);
      editor.setDecorations(this.come, here ? [after(rangeOf(here), here.text, "editorGhostText.foreground")] : []);
      editor.setDecorations(this.hint, edit && editor === vscode.window.activeTextEditor ? this.hints(edit, editor) : []);
    }
  }

  /** Whether Tab may be meant to indent a line: before its first letter, where it is not the edit's. */
  private indents(edit: NextEdit): boolean {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) {
      return false;
    }
    const { line, character } = editor.selection.active;
    const before = editor.document.lineAt(line).text.slice(0, character);
    return before.trim() === "" && !(isIn(edit, editor.document) && isAt(edit, line));
  }

  /** How many edits there are, at the line of this one; at the cursor's line where it is, if it cannot be seen. */
  private hints(edit: NextEdit, editor: vscode.TextEditor): vscode.DecorationOptions[] {
    const range = rangeOf(edit);
    const seen = isIn(edit, editor.document) && editor.visibleRanges.some((part) => part.intersection(range) !== undefined);
    const end = editor.document.lineAt(seen ? range.end.line : editor.selection.active.line).range.end;
    const file = vscode.workspace.asRelativePath(vscode.Uri.parse(edit.textDocument.uri));
    const text = seen ? counted(this.count) : label(edit, this.count, file);
    return [after(new vscode.Range(end, end), text, "editorCodeLens.foreground", "2em")];
  }
}

function isIn(edit: NextEdit, document: vscode.TextDocument): boolean {
  return document.uri.toString() === vscode.Uri.parse(edit.textDocument.uri).toString();
}

function rangeOf({ range: { start, end } }: NextEdit): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

function after(range: vscode.Range, contentText: string, colour: string, margin = "0"): vscode.DecorationOptions {
  const color = new vscode.ThemeColor(colour);
  return { range, renderOptions: { after: { contentText, color, margin: `0 0 0 ${margin}` } } };
}
