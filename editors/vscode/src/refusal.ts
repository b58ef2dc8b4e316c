// Why the server did not run a command, as a person reads it. Nothing here knows VS Code.

/** The reason, by the commands that the server knows and what it answered. */
export function refusal(command: string, known: readonly string[] | undefined, problem: unknown): string {
  if (known !== undefined && !known.includes(command)) {
    return "the server is older than the extension: update it";
  }
  return problem instanceof Error ? problem.message : String(problem);
}
