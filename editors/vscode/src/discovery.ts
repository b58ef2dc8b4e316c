// Where the language server may be. Nothing here knows VS Code, so that the tests need none.

import * as path from "node:path";

export type Source = "setting" | "workspace" | "PATH" | "own";

export interface Server {
  command: string;
  source: Source;
}

export interface Surroundings {
  /** The setting guiderail.serverPath; empty if it is not set. */
  serverPath: string;
  /** Folders of the workspace. */
  folders: readonly string[];
  /** Whether the person trusts the workspace: a program that came with it runs only then. */
  trusted: boolean;
  /** The variable PATH. */
  path: string;
  /** Folder of the environment that this extension makes for itself. */
  ownEnvironment: string;
  windows: boolean;
  isProgram: (file: string) => boolean;
}

/** What decides where programs are looked for. */
export type Searched = Pick<Surroundings, "folders" | "trusted" | "path" | "windows">;

/** The server's program in the Python environment `folder`. */
export function programIn(folder: string, windows: boolean): string {
  return windows ? path.win32.join(folder, "Scripts", "guiderail.exe") : path.posix.join(folder, "bin", "guiderail");
}

/** The Python of the environment `folder`. */
export function pythonIn(folder: string, windows: boolean): string {
  return windows ? path.win32.join(folder, "Scripts", "python.exe") : path.posix.join(folder, "bin", "python");
}

/** Whether an entry of PATH is searched: a relative one leads into whatever folder this process is in. */
function counts(entry: string, around: Searched): boolean {
  const paths = around.windows ? path.win32 : path.posix;
  const leadsInto = (folder: string) => {
    const way = paths.relative(folder, entry);
    return !paths.isAbsolute(way) && way !== ".." && !way.startsWith(`..${paths.sep}`);
  };
  return paths.isAbsolute(entry) && (around.trusted || !around.folders.some(leadsInto));
}

/** The entries of PATH that are searched. */
function searched(around: Searched): string[] {
  return around.path.split(around.windows ? ";" : ":").filter((entry) => counts(entry, around));
}

/**
 * The environment for programs of the person's: nothing of a workspace stands in for one of them, or for a module of
 * Python, which otherwise looks in the current folder first.
 */
export function apart(around: Searched, variables: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
  const others = Object.entries(variables).filter(([name]) => !/^(path|pythonpath)$/i.test(name)); // "Path" on Windows
  return {
    ...Object.fromEntries(others),
    PATH: searched(around).join(around.windows ? ";" : ":"),
    PYTHONSAFEPATH: "1",
    NoDefaultCurrentDirectoryInExePath: "1",
  };
}

function* candidates(around: Surroundings): Generator<Server> {
  const paths = around.windows ? path.win32 : path.posix;
  if (around.trusted) {
    for (const folder of around.folders) {
      for (const name of [".venv", "venv"]) {
        yield { command: programIn(paths.join(folder, name), around.windows), source: "workspace" };
      }
    }
  }
  for (const folder of searched(around)) {
    yield { command: paths.join(folder, around.windows ? "guiderail.exe" : "guiderail"), source: "PATH" };
  }
  yield { command: programIn(around.ownEnvironment, around.windows), source: "own" };
}

/**
 * The server to start, or undefined. A path in the settings is taken alone: where it is wrong, starting another server
 * in silence would hide the mistake.
 */
export function findServer(around: Surroundings): Server | undefined {
  if (around.serverPath !== "") {
    return around.isProgram(around.serverPath) ? { command: around.serverPath, source: "setting" } : undefined;
  }
  for (const server of candidates(around)) {
    if (around.isProgram(server.command)) {
      return server;
    }
  }
  return undefined;
}

/**
 * What pip installs: what the settings name, else the wheel among the extension's `files`, which is of its own version,
 * else the package's name.
 */
export function sourceOf(setting: string, files: readonly string[]): string {
  return setting.trim() || (files.find((file) => /[\\/]guiderail-[^\\/]*\.whl$/.test(file)) ?? "guiderail");
}

/** True for the output of `python --version` of a Python that guiderail runs on. */
export function isRecentPython(output: string): boolean {
  const found = /^Python (\d+)\.(\d+)/.exec(output.trim());
  return found !== null && (Number(found[1]) > 3 || (Number(found[1]) === 3 && Number(found[2]) >= 11));
}
