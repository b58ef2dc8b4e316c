import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { chosen, propertiesOf, scopeOf, type Manifest } from "../src/settings";

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
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest & {
    contributes: { commands: { command: string }[]; keybindings: { command: string }[] };
  };
  for (const [key, setting] of Object.entries(propertiesOf(manifest))) {
    assert.ok("description" in setting, `${key} has no description`);
  }
  const { contributes } = manifest;
  for (const { command } of contributes.keybindings) {
    assert.ok(contributes.commands.some((one) => one.command === command), command);
  }
  const source = readFileSync("src/extension.ts", "utf8");
  for (const { command } of contributes.commands) {
    assert.match(source, new RegExp(`\\b${command.replace("guiderail.", "")}\\b[:,]`), command);
  }
});

test("the ten settings that matter come first, and all others are advanced", () => {
  const { contributes } = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
  const [basic, advanced] = contributes.configuration as { title: string; order: number; properties: Record<string, { order: number }> }[];
  assert.deepEqual([basic.title, advanced.title], ["guiderail", "Advanced"]);
  assert.ok(basic.order < advanced.order);
  assert.equal(Object.keys(basic.properties).length, 10);
  assert.equal(Object.keys(basic.properties)[0], "guiderail.enable");
  for (const { properties } of [basic, advanced]) {
    assert.deepEqual(Object.values(properties).map((one) => one.order), Object.keys(properties).map((_, i) => i + 1));
  }
});
