import assert from "node:assert/strict";
import { test } from "node:test";
import { barText, spoken, stateOf, tooltip, turning, type State } from "../src/status";

const STATES: State[] = ["loading", "ready", "working", "disabled", "snoozed", "error", "missing", "stopped"];

test("every state has an icon and words of its own", () => {
  assert.equal(new Set(STATES.map(barText)).size, STATES.length);
  assert.equal(new Set(STATES.map(spoken)).size, STATES.length);
});

test("the tooltip holds what is known, a fact on a line", () => {
  const status = { state: "error", message: "no such model", remedy: "pull it", model: "m", device: "cpu", version: "1" } as const;
  assert.equal(tooltip("error", status), "guiderail: error\nno such model\npull it\nm on cpu\nversion 1");
});

test("null and missing facts leave no empty line", () => {
  assert.equal(tooltip("ready", { state: "ready", message: null, model: "m" }), "guiderail: ready\nm");
  assert.equal(tooltip("missing"), "guiderail: server not found");
});

test("a snooze is a state of its own, and the tooltip says until when", () => {
  const status = { state: "disabled", message: "suggestions are snoozed until 14:05", snoozed: "14:05" } as const;
  assert.equal(stateOf(status), "snoozed");
  assert.equal(stateOf({ state: "disabled", enabled: true, snoozed: "14:05" }), "snoozed");
  assert.equal(stateOf({ state: "disabled", snoozed: "" }), "disabled");
  assert.equal(tooltip("snoozed", status), "guiderail: snoozed\nsuggestions are snoozed until 14:05");
});

test("a snooze hides neither an error nor that suggestions are switched off", () => {
  assert.equal(stateOf({ state: "error", enabled: true, snoozed: "14:05" }), "error");
  assert.equal(stateOf({ state: "disabled", enabled: false, snoozed: "14:05" }), "disabled");
});

test("turning on turns on, whether the setting, a snooze or both had turned off", () => {
  assert.deepEqual(turning(true, undefined), { endSnooze: false, enable: false });
  assert.deepEqual(turning(false, null), { endSnooze: false, enable: true });
  assert.deepEqual(turning(true, "14:05"), { endSnooze: true });
  assert.deepEqual(turning(false, "14:05"), { endSnooze: true, enable: true });
});
