import assert from "node:assert/strict";
import { test } from "node:test";
import { counted, isAt, label, type NextEdit } from "../src/nextEdit";

const edit: NextEdit = {
  text: "rate",
  textDocument: { uri: "file:///a/shop.py", version: 3 },
  range: { start: { line: 4, character: 8 }, end: { line: 4, character: 11 } },
  reason: "tax → rate",
};

test("a key makes the edit only on the line where it begins", () => {
  assert.ok(isAt(edit, 4));
  assert.ok(!isAt(edit, 5));
});

test("an edit that cannot be seen is named with its place, from line 1, and how many there are", () => {
  assert.equal(label(edit, 1, "shop.py"), "→ shop.py:5  tax → rate");
  assert.equal(label(edit, 3, "shop.py"), "→ shop.py:5  tax → rate (3 edits)");
});

test("one edit is not counted", () => {
  assert.equal(counted(1), "");
  assert.equal(counted(2), " (2 edits)");
});
