// Which settings the server is sent: only those that the person has set, because they go before the project's own.

/** What VS Code's WorkspaceConfiguration.inspect tells, as far as it matters here. */
export interface Inspected {
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}

/** What is read of package.json. */
export interface Manifest {
  contributes: { configuration: { title: string; properties: Record<string, object> }[] };
}

/** The settings of all categories. */
export function propertiesOf({ contributes }: Manifest): Record<string, object> {
  return Object.assign({}, ...contributes.configuration.map((category) => category.properties)) as Record<string, object>;
}

/** Settings of the extension that mean nothing to the server. */
const OWN = new Set(["serverPath", "installSource", "trace.server"]);

/** The value that somebody has set, the nearest to the file first; undefined if it is the default. */
export function setValue(inspected: Inspected | undefined): unknown {
  return inspected?.workspaceFolderValue ?? inspected?.workspaceValue ?? inspected?.globalValue;
}

/** The server's configuration object out of the settings named `keys`. */
export function chosen(
  keys: readonly string[],
  inspect: (key: string) => Inspected | undefined,
): Record<string, unknown> {
  const found = keys.filter((key) => !OWN.has(key)).map((key) => [key, setValue(inspect(key))] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

export type Scope = "folder" | "workspace" | "user";

/** Where the value that counts is set: one that is written anywhere else would be overruled by it. */
export function scopeOf(inspected: Inspected | undefined): Scope {
  if (inspected?.workspaceFolderValue !== undefined) {
    return "folder";
  }
  return inspected?.workspaceValue !== undefined ? "workspace" : "user";
}
