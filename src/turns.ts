/** Work that must not overlap: each task begins when the one before it has ended, well or badly. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** @returns what the task gives; its error is the caller's alone, and the next task begins all the same */
  take<T>(task: () => Promise<T>): Promise<T> {
    const result = this.last.then(task);
    this.last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when all tasks so far have ended. */
  async idle(): Promise<void> {
    await this.last;
  }
}
