// Installs the server into an environment of this extension's own, after asking.

import { execFile, type ExecFileOptionsWithStringEncoding } from "node:child_process";
import * as path from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { isRecentPython, pythonIn } from "./discovery";

const TOLD_MS = 5000;
const start = promisify(execFile);

/** Runs a program. */
type Run = (words: string[], options?: Omit<ExecFileOptionsWithStringEncoding, "encoding">) => Promise<{ stdout: string; stderr: string }>;

/** Programs run in the editor's own folder: the current one may be the workspace, whose `venv.py` Python would take. */
function runner(env: NodeJS.ProcessEnv): Run {
  const cwd = path.dirname(process.execPath);
  return (words, options) => start(words[0], words.slice(1), { ...options, cwd, env, encoding: "utf8" });
}

async function findPython(run: Run, windows: boolean): Promise<string[] | undefined> {
  const known = windows ? [["py", "-3"], ["python"]] : [["python3"], ["python"]];
  for (const name of ["3.14", "3.13", "3.12", "3.11"]) {
    known.push(windows ? ["py", `-${name}`] : [`python${name}`]);
  }
  for (const command of known) {
    try {
      const { stdout } = await run([...command, "--version"], { timeout: 10_000 });
      if (isRecentPython(stdout)) {
        return command;
      }
    } catch {
      // This one is not installed; the next may be.
    }
  }
  return undefined;
}

/** What is fetched and what it takes on the disk, in words. */
export function size(forGpu: boolean): string {
  return forGpu ? "About 3 GB are fetched, which take 7 GB of disk" : "About 0.4 GB are fetched, which take 1.3 GB of disk";
}

/** True once the person has agreed. */
async function asked(source: string, folder: string, forGpu: boolean): Promise<boolean> {
  const yes = "Install";
  const detail = `pip installs "${source}" and what it needs (PyTorch among it) into ${folder}. ${size(forGpu)}. Nothing else is changed.`;
  const question = "guiderail's language server was not found. Install it for this extension?";
  return (await vscode.window.showInformationMessage(question, { modal: true, detail }, yes)) === yes;
}

interface Step {
  message: string;
  words: string[];
  /** Whether the installation goes on without it. */
  optional?: boolean;
}

async function hasNvidia(run: Run): Promise<boolean> {
  return run(["nvidia-smi"]).then(
    () => true,
    () => false,
  );
}

/** On Linux pip's own choice of PyTorch brings gigabytes for NVIDIA's GPUs; uv knows where the build for CPUs is. */
function stepsWith(own: string, source: string, forGpu: boolean): Step[] {
  const install = { message: "fetching packages", words: [own, "-m", "pip", "install", "--upgrade", source] };
  if (process.platform !== "linux" || forGpu) {
    return [install];
  }
  const cpu = [own, "-m", "uv", "pip", "install", "--python", own, "--torch-backend=cpu", "torch"];
  return [
    { message: "fetching uv", words: [own, "-m", "pip", "install", "uv"], optional: true },
    { message: "fetching PyTorch for CPUs", words: cpu, optional: true },
    install,
  ];
}

async function install(
  run: Run,
  python: string[],
  source: string,
  folder: string,
  forGpu: boolean,
  log: vscode.LogOutputChannel,
): Promise<void> {
  const own = pythonIn(folder, process.platform === "win32");
  const make = { message: "making an environment", words: [...python, "-m", "venv", folder] };
  const steps: Step[] = [make, ...stepsWith(own, source, forGpu)];
  const options = { location: vscode.ProgressLocation.Notification, title: `Installing guiderail's server (${size(forGpu).toLowerCase()})`, cancellable: true };
  await vscode.window.withProgress(options, async (progress, token) => {
    const stop = new AbortController();
    token.onCancellationRequested(() => {
      stop.abort();
    });
    for (const { message, words, optional } of steps) {
      progress.report({ message });
      log.info(words.join(" "));
      try {
        const { stdout, stderr } = await run(words, { maxBuffer: 1 << 26, signal: stop.signal });
        log.info(stdout + stderr);
      } catch (problem) {
        if (optional !== true || stop.signal.aborted) {
          throw problem;
        }
        log.warn(String(problem));
      }
    }
  });
}

/**
 * Ask, then install, with `variables` as the environment. True if there is a server in `folder` afterwards; a failure is told to the person with the log.
 */
export async function offerInstall(
  source: string,
  folder: string,
  variables: NodeJS.ProcessEnv,
  log: vscode.LogOutputChannel,
): Promise<boolean> {
  const run = runner(variables);
  const forGpu = process.platform === "linux" && (await hasNvidia(run));
  if (!(await asked(source, folder, forGpu))) {
    return false;
  }
  const python = await findPython(run, process.platform === "win32");
  if (python === undefined) {
    void vscode.window.showErrorMessage("guiderail needs Python 3.11 or newer, and found none on PATH.");
    return false;
  }
  try {
    await install(run, python, source, folder, forGpu, log);
    vscode.window.setStatusBarMessage("guiderail's server is installed", TOLD_MS);
    return true;
  } catch (problem) {
    log.error(String(problem));
    const show = "Show Log";
    void vscode.window.showErrorMessage("guiderail could not be installed.", show).then((answer) => {
      if (answer === show) {
        log.show();
      }
    });
    return false;
  }
}
