/** Holds work back until there is room for it: a counting semaphore, first come, first served. */
export class Gate {
  private used = 0;
  private isOpen = false;
  private readonly waiting: { readonly amount: number; readonly enter: () => void }[] = [];

  /** @param capacity what may be inside at once, in any unit */
  constructor(private readonly capacity: number) {}

  /** What is inside now. */
  get inside(): number {
    return this.used;
  }

  /** Waits for room. An amount above the capacity waits until the gate is empty and then has it to itself. */
  async enter(amount: number): Promise<void> {
    if (this.waiting.length > 0 || !this.hasRoom(amount)) {
      await new Promise<void>((enter) => this.waiting.push({ amount, enter }));
      return; // `letIn` has already counted it
    }
    this.used += amount;
  }

  leave(amount: number): void {
    this.used -= amount;
    this.letIn();
  }

  /** Lets everyone in from now on, so that nobody is left waiting when the work is given up. */
  open(): void {
    this.isOpen = true;
    this.letIn();
  }

  private hasRoom(amount: number): boolean {
    return this.isOpen || this.used === 0 || this.used + amount <= this.capacity;
  }

  private letIn(): void {
    for (let next = this.waiting[0]; next && this.hasRoom(next.amount); next = this.waiting[0]) {
      this.waiting.shift();
      this.used += next.amount;
      next.enter();
    }
  }
}
