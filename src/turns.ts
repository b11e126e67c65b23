/** Work that must not overlap: each task begins when the one before it has ended, well or badly. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();
  private readonly urgent: (() => Promise<unknown>)[] = [];

  /** @returns what the task gives; its error is the caller's alone, and the next task begins all the same */
  take<T>(task: () => Promise<T>): Promise<T> {
    const result = this.last.then(() => this.takeUrgent()).then(task);
    this.last = result.catch(() => undefined);
    return result;
  }

  /** Goes before all that has not begun, and behind what went before them already. */
  takeFirst<T>(task: () => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      this.urgent.push(async () => {
        const result = Promise.resolve().then(task);
        resolve(result);
        await result.catch(() => undefined); // the caller meets the error
      });
      // Where nothing waits, this turn is its own.
      this.last = this.last.then(() => this.takeUrgent());
    });
  }

  private async takeUrgent(): Promise<void> {
    for (let task = this.urgent.shift(); task !== undefined; task = this.urgent.shift()) await task();
  }

  /** Resolves when all tasks so far have ended. */
  async idle(): Promise<void> {
    await this.last;
  }
}
