// What the tests need of VS Code: the extension's own code runs against it, outside the editor.

export const settings: Record<string, unknown> = {};

export class EventEmitter<T> {
  private readonly listeners: ((value: T) => void)[] = [];
  readonly event = (listener: (value: T) => void): void => {
    this.listeners.push(listener);
  };
  fire(value: T): void {
    for (const listener of this.listeners) {
      listener(value);
    }
  }
  dispose(): void {
    this.listeners.length = 0;
  }
}

export interface Uri {
  fsPath: string;
}

export const Uri = {
  file: (fsPath: string): Uri => ({ fsPath }),
  joinPath: ({ fsPath }: Uri, ...parts: string[]): Uri => ({ fsPath: [fsPath, ...parts].join("/") }),
};

export const workspace = {
  workspaceFolders: [] as { uri: Uri }[],
  isTrusted: false,
  getConfiguration: () => ({
    get: (key: string, otherwise: unknown) => settings[key] ?? otherwise,
    inspect: () => undefined,
  }),
};

export const ProgressLocation = { Notification: 15 };

export const window = {
  activeTextEditor: undefined,
  showInformationMessage: (_question: string, _options: unknown, ...answers: string[]) => Promise.resolve(answers[0]),
  showErrorMessage: () => Promise.resolve(undefined),
  setStatusBarMessage: () => undefined,
  withProgress: (_options: unknown, task: (progress: unknown, token: unknown) => Promise<void>) =>
    task({ report: () => undefined }, { onCancellationRequested: () => undefined }),
};
