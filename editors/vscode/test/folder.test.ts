// Where the extension starts programs: in the workspace an empty entry of PYTHONPATH has Python import its files.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import type * as vscode from "vscode";
import { offerInstall } from "../src/install";
import { ServerControl } from "../src/server";
import { started } from "./stubs/client";
import { settings, workspace } from "./stubs/vscode";

const top = fs.mkdtempSync(path.join(os.tmpdir(), "guiderail-"));
const project = path.join(top, "project");
const tools = path.join(top, "tools");
const told = path.join(top, "told");
const home = process.cwd();
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined } as unknown as vscode.LogOutputChannel;

/** A program that notes the folder it starts in. */
function program(name: string): string {
  const file = path.join(tools, name);
  fs.writeFileSync(file, `#!/bin/sh\npwd >> "${told}"\necho Python 3.12.1\n`, { mode: 0o755 });
  return file;
}

function folders(): string[] {
  const lines = fs.readFileSync(told, "utf8").trim().split("\n");
  fs.rmSync(told);
  return lines;
}

before(() => {
  fs.mkdirSync(project);
  fs.mkdirSync(tools);
  workspace.workspaceFolders = [{ uri: { fsPath: project } }];
  process.chdir(project); // where an editor is that was started with `code .`
});

after(() => {
  process.chdir(home);
  fs.rmSync(top, { recursive: true });
});

const posix = { skip: process.platform === "win32" };

test("the server does not start in the workspace", posix, async () => {
  settings.serverPath = program("guiderail");
  const context = {
    globalStorageUri: { fsPath: path.join(top, "storage") },
    asAbsolutePath: (name: string) => path.join(top, name),
    extension: { packageJSON: { contributes: { configuration: [] } } },
  } as unknown as vscode.ExtensionContext;
  assert.equal(await new ServerControl(context, silent).start(), true);
  const { command, args, options } = started[0] ?? assert.fail("no server was started");
  execFileSync(command, args, options);
  assert.deepEqual(folders(), [fs.realpathSync(path.dirname(process.execPath))]);
});

test("nor does anything of an installation", posix, async () => {
  program("python3");
  const own = path.join(top, "own");
  fs.mkdirSync(path.join(own, "bin"), { recursive: true });
  fs.copyFileSync(program("python"), path.join(own, "bin", "python"));
  assert.equal(await offerInstall("guiderail", own, { PATH: `${tools}:/usr/bin:/bin` }, silent), true);
  const seen = folders();
  assert.ok(seen.length > 2);
  assert.deepEqual(new Set(seen), new Set([fs.realpathSync(path.dirname(process.execPath))]));
});
