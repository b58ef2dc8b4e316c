import assert from "node:assert/strict";
import { test } from "node:test";
import { refusal } from "../src/refusal";

test("a command that the server does not know comes of its age", () => {
  assert.equal(
    refusal("guiderail.why", ["guiderail.toggle"], new Error("Invalid Params")),
    "the server is older than the extension: update it",
  );
});

test("of a command that it knows, or may know, its own words are told", () => {
  assert.equal(refusal("guiderail.why", ["guiderail.why"], new Error("others are counted too")), "others are counted too");
  assert.equal(refusal("guiderail.why", undefined, "gone"), "gone");
});
