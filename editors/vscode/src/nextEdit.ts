// What the server says of the next edit.

interface Position {
  line: number;
  character: number;
}

export interface NextEdit {
  text: string;
  textDocument: { uri: string; version: number | null };
  range: { start: Position; end: Position };
  reason: string;
}

export interface Found {
  edit?: NextEdit | null;
  count: number;
}

/** Whether a line of its document is where the edit begins. */
export function isAt(edit: NextEdit, line: number): boolean {
  return edit.range.start.line === line;
}

/** Where the edit is and what it follows from, in one line. */
export function label(edit: NextEdit, count: number, file: string): string {
  return `→ ${file}:${edit.range.start.line + 1}  ${edit.reason}${counted(count)}`;
}

/** How many edits there are, if there are several. */
export function counted(count: number): string {
  return count > 1 ? ` (${count} edits)` : "";
}
