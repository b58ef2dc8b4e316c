import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { chosen, scopeOf } from "../src/settings";

test("defaults are not sent, and the nearest value wins", () => {
  const set = { model: { globalValue: "a", workspaceValue: "b" }, enable: { globalValue: false }, until: {} };
  assert.deepEqual(
    chosen(["model", "enable", "until"], (key) => set[key as keyof typeof set]),
    { model: "b", enable: false },
  );
});

test("the extension's own settings stay here", () => {
  assert.deepEqual(chosen(["serverPath", "trace.server"], () => ({ globalValue: "x" })), {});
});

test("a value is written where the one that counts is set", () => {
  assert.equal(scopeOf(undefined), "user");
  assert.equal(scopeOf({ globalValue: true }), "user");
  assert.equal(scopeOf({ globalValue: false, workspaceValue: true }), "workspace");
  assert.equal(scopeOf({ globalValue: false, workspaceValue: true, workspaceFolderValue: false }), "folder");
});

test("every setting is described, and every contributed command is registered", () => {
  const { contributes } = JSON.parse(readFileSync("package.json", "utf8")) as {
    contributes: {
      commands: { command: string }[];
      configuration: { properties: Record<string, { description?: string; markdownDescription?: string }> };
    };
  };
  for (const [key, setting] of Object.entries(contributes.configuration.properties)) {
    assert.ok(setting.description ?? setting.markdownDescription, `${key} has no description`);
  }
  const source = readFileSync("src/extension.ts", "utf8");
  for (const { command } of contributes.commands) {
    assert.match(source, new RegExp(`\\b${command.replace("guiderail.", "")}\\b[:,]`), command);
  }
});
