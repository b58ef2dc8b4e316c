import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "../src/turns";

/** Work that goes on until it is told to end, and what was begun and ended so far. */
function make() {
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => async () => {
    log.push(`begin ${name}`);
    await new Promise<void>((end) => ends.push(end));
    log.push(`end ${name}`);
    return name;
  };
  return { log, ends, work };
}

const soon = () => new Promise((go) => setImmediate(go));

test("a restart while a start is under way waits for it, and many of them start one server", async () => {
  const { log, ends, work } = make();
  const turns = new Turns();
  const start = turns.take("start", work("start"));
  await soon();
  const restarts = [1, 2, 3].map(() => turns.take("restart", work("restart")));
  await soon();
  assert.deepEqual(log, ["begin start"]);
  ends[0]();
  await start;
  await soon();
  ends[1]();
  assert.deepEqual(await Promise.all(restarts), ["restart", "restart", "restart"]);
  assert.deepEqual(log, ["begin start", "end start", "begin restart", "end restart"]);
});

test("one that is asked for while the same is under way runs after it", async () => {
  const { log, ends, work } = make();
  const turns = new Turns();
  const first = turns.take("restart", work("first"));
  await soon();
  const second = turns.take("restart", work("second"));
  ends[0]();
  await first;
  await soon();
  ends[1]();
  assert.equal(await second, "second");
  assert.equal(log.length, 4);
});

test("a failure is told to who asked, and the next one runs", async () => {
  const turns = new Turns();
  const failing = turns.take("start", () => Promise.reject(new Error("no")));
  const next = turns.take("restart", () => Promise.resolve(true));
  await assert.rejects(failing, /no/);
  assert.equal(await next, true);
});
