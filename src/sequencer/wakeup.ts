/** Lets a loop sleep until somebody changed what it waits for. Check the condition, then wait, without awaiting between. */

export class Wakeup {
  #waiting: (() => void)[] = [];

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
