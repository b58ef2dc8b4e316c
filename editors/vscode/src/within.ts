// A server may hang: who waits for it on a person's behalf waits for a while only.

export const ANSWER_MS = 500; // in which a server that does not hang answers

/** What `work` gives, or undefined once so many milliseconds are over; the work goes on. */
export function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout;
  const late = new Promise<undefined>((go) => {
    timer = setTimeout(go, ms, undefined);
  });
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}
