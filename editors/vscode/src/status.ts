// What the status bar shows, as text. Nothing here knows VS Code.

/** The object of guiderail/status; null and missing are the same. */
export interface Status {
  state: "loading" | "ready" | "working" | "disabled" | "error";
  message?: string | null;
  remedy?: string | null;
  model?: string | null;
  device?: string | null;
  version?: string | null;
  enabled?: boolean | null;
  /** Until what time of the day suggestions are snoozed. */
  snoozed?: string | null;
}

/** The server's states, a snooze, and two that it cannot tell itself. */
export type State = Status["state"] | "snoozed" | "missing" | "stopped";

/** The state that a status means: a snooze hides neither an error nor that suggestions are switched off. */
export function stateOf(status: Status): State {
  const snoozed = status.snoozed && status.state === "disabled" && status.enabled !== false;
  return snoozed ? "snoozed" : status.state;
}

/** What turning suggestions on or off takes: during a snooze they are off, whatever the setting says. */
export function turning(enabled: boolean, snoozed: string | null | undefined): { endSnooze: boolean; enable?: boolean } {
  return snoozed ? { endSnooze: true, ...(enabled ? {} : { enable: true }) } : { endSnooze: false, enable: !enabled };
}

const ICONS: Record<State, string> = {
  loading: "$(loading~spin)",
  ready: "$(check)",
  working: "$(sync~spin)",
  disabled: "$(circle-slash)",
  snoozed: "$(bell-slash)",
  error: "$(error)",
  missing: "$(cloud-download)",
  stopped: "$(debug-stop)",
};

const WORDS: Record<State, string> = {
  loading: "loading",
  ready: "ready",
  working: "thinking",
  disabled: "off",
  snoozed: "snoozed",
  error: "error",
  missing: "server not found",
  stopped: "server stopped",
};

/** The text in the status bar. */
export function barText(state: State): string {
  return `${ICONS[state]} guiderail`;
}

/** What a screen reader says. */
export function spoken(state: State): string {
  return `guiderail: ${WORDS[state]}`;
}

/** The lines of the tooltip. */
export function tooltip(state: State, status?: Status): string {
  const where = [status?.model, status?.device].filter(Boolean).join(" on ");
  const version = status?.version ? `version ${status.version}` : "";
  return [spoken(state), status?.message, status?.remedy, where, version].filter(Boolean).join("\n");
}
