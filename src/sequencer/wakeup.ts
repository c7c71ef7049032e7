/** Lets loops sleep until somebody changed what they wait for: note `news`, look, and wait for later news than noted. */

export class Wakeup {
  #news = 0;
  #waiting: (() => void)[] = [];

  /** How often there was news so far. */
  get news(): number {
    return this.#news;
  }

  wake(): void {
    this.#news += 1;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** Resolves at once when there was news after `seen`: what happened while one looked is not slept through. */
  wait(seen: number): Promise<void> {
    if (seen !== this.#news) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
