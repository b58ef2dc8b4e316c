// A language client that only remembers how its server is started.

export interface Executable {
  command: string;
  args: string[];
  options: { cwd: string };
}

export const started: Executable[] = [];

export const State = { Stopped: 1, Running: 2 };
export const TransportKind = { stdio: 0 };
export const CloseAction = { DoNotRestart: 1 };
export const DidChangeConfigurationNotification = { type: {} };

export class LanguageClient {
  readonly state = State.Stopped;
  constructor(
    readonly id: string,
    readonly name: string,
    server: Executable,
  ) {
    started.push(server);
  }
  onDidChangeState(): void {
    // It never changes.
  }
  onNotification(): void {
    // None comes.
  }
  start(): Promise<void> {
    return Promise.resolve();
  }
  dispose(): Promise<void> {
    return Promise.resolve();
  }
}
