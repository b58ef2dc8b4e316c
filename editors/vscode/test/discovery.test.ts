import assert from "node:assert/strict";
import { test } from "node:test";
import { apart, findServer, isRecentPython, sourceOf, type Surroundings } from "../src/discovery";

function around(programs: string[], changes: Partial<Surroundings> = {}): Surroundings {
  return {
    serverPath: "",
    folders: ["/work/a", "/work/b"],
    trusted: true,
    path: "/usr/local/bin:/usr/bin",
    ownEnvironment: "/storage/server",
    windows: false,
    isProgram: (file) => programs.includes(file),
    ...changes,
  };
}

const OWN = "/storage/server/bin/guiderail";
const ON_PATH = "/usr/bin/guiderail";
const IN_B = "/work/b/.venv/bin/guiderail";

test("the workspace's environment goes before PATH, and PATH before our own", () => {
  assert.deepEqual(findServer(around([OWN, ON_PATH, IN_B])), { command: IN_B, source: "workspace" });
  assert.deepEqual(findServer(around([OWN, ON_PATH])), { command: ON_PATH, source: "PATH" });
  assert.deepEqual(findServer(around([OWN])), { command: OWN, source: "own" });
  assert.equal(findServer(around([])), undefined);
});

test("an untrusted workspace's program is never started", () => {
  assert.equal(findServer(around([IN_B], { trusted: false })), undefined);
});

test("a path in the settings is taken alone", () => {
  const serverPath = "/opt/guiderail";
  assert.deepEqual(findServer(around([serverPath, IN_B], { serverPath })), { command: serverPath, source: "setting" });
  assert.equal(findServer(around([IN_B, ON_PATH], { serverPath })), undefined);
});

test("on Windows, programs have their ending and folders their backslash", () => {
  const program = "C:\\tools\\guiderail.exe";
  const found = findServer(around([program], { windows: true, path: "C:\\x;C:\\tools", folders: ["C:\\work"] }));
  assert.deepEqual(found, { command: program, source: "PATH" });
});

test("an empty entry of PATH is not the current folder", () => {
  assert.equal(findServer(around(["guiderail"], { path: ":" })), undefined);
});

test("a relative entry of PATH is not searched, nor one in a workspace that is not trusted", () => {
  const relative = [".", "bin", "node_modules/.bin", "../x"];
  assert.equal(findServer(around(relative.map((entry) => `${entry}/guiderail`), { path: relative.join(":") })), undefined);
  assert.equal(findServer(around(["guiderail", "bin/guiderail"], { path: relative.join(":") })), undefined);
  const inside = { path: "/work/a:/work/b/bin:/work/a/../b/bin" };
  const programs = ["/work/a/guiderail", "/work/b/bin/guiderail"];
  assert.equal(findServer(around(programs, { ...inside, trusted: false })), undefined);
  assert.equal(findServer(around(programs, inside))?.source, "PATH");
  const beside = { path: "/work/b-tools:/work", trusted: false };
  assert.equal(findServer(around(["/work/b-tools/guiderail"], beside))?.command, "/work/b-tools/guiderail");
  assert.equal(findServer(around(["/work/guiderail"], beside))?.command, "/work/guiderail");
});

test("on Windows, an entry of PATH without a drive is not searched, nor one in an untrusted workspace", () => {
  const windows = { windows: true, folders: ["C:\\work"], trusted: false };
  const programs = ["tools\\guiderail.exe", "C:\\work\\bin\\guiderail.exe", "D:\\bin\\guiderail.exe"];
  assert.equal(findServer(around(programs, { ...windows, path: "tools;c:\\WORK\\bin;C:\\work\\bin" })), undefined);
  assert.equal(findServer(around(programs, { ...windows, path: "tools;D:\\bin" }))?.command, programs[2]);
});

test("Python 3.11 and newer will do", () => {
  assert.deepEqual(
    ["Python 3.11.0", "Python 3.14.1\n", "Python 4.0.0", "Python 3.10.9", "Python 2.7", ""].map(isRecentPython),
    [true, true, true, false, false, false],
  );
});

test("the wheel that came with the extension is installed, unless the settings name something else", () => {
  const wheel = "/extension/server/guiderail-0.1.0-py3-none-any.whl";
  assert.equal(sourceOf("", ["/extension/server/README", wheel]), wheel);
  assert.equal(sourceOf(" /my/guiderail ", [wheel]), "/my/guiderail");
  assert.equal(sourceOf("", []), "guiderail");
  assert.equal(sourceOf("", ["C:\\extension\\server\\guiderail-1.whl"]), "C:\\extension\\server\\guiderail-1.whl");
});

test("an installation looks for no program and no module in a workspace", () => {
  const path = ":.:bin:/work/a/.venv/bin:/usr/bin";
  const given = { PATH: path, PYTHONPATH: ".", HOME: "/home/me" };
  const variables = apart(around([], { path, trusted: false }), given);
  assert.deepEqual(variables, { PATH: "/usr/bin", HOME: "/home/me", PYTHONSAFEPATH: "1", NoDefaultCurrentDirectoryInExePath: "1" });
  assert.equal(apart(around([], { path }), given).PATH, "/work/a/.venv/bin:/usr/bin");
  const windows = { windows: true, path: "C:\\work\\a;C:\\tools", folders: ["C:\\work"], trusted: false };
  assert.deepEqual(Object.entries(apart(around([], windows), { Path: windows.path })).filter(([name]) => /^path$/i.test(name)), [
    ["PATH", "C:\\tools"],
  ]);
});
