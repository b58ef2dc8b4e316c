import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "../src/within";

test("what comes in time is given, and what hangs is nothing", async () => {
  assert.equal(await within(10_000, Promise.resolve("here")), "here");
  assert.equal(await within(1, new Promise<string>(() => undefined)), undefined);
});

test("a failure in time is a failure", async () => {
  await assert.rejects(within(10_000, Promise.reject(new Error("no"))), /no/);
});
