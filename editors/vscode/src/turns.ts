// One thing at a time: a server that is being started can neither be stopped nor started again.

/** Runs pieces of work one after the other. What is asked for again while it still waits for its turn runs once. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();
  private readonly waiting = new Map<string, Promise<unknown>>();

  /** The result of `work` when its turn has come; a failure is that of this turn alone. */
  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const known = this.waiting.get(name);
    if (known !== undefined) {
      return known as Promise<T>;
    }
    const turn = this.last.then(() => {
      this.waiting.delete(name);
      return work();
    });
    this.waiting.set(name, turn);
    this.last = turn.catch(() => undefined);
    return turn;
  }
}
