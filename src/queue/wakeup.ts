/** One sleeper and those who wake it. News that comes while nobody sleeps is kept, so no wake-up is lost in between. */

export class Wakeup {
  #news = false;
  #wake: (() => void) | undefined;

  /** Ends the sleep, or the next one before it begins. */
  ring(): void {
    this.#news = true;
    this.#wake?.();
  }

  /** Forgets the news: what it was about is going to be looked at now. */
  hush(): void {
    this.#news = false;
  }

  /** Resolves on news, when `signal` aborts, or when `timer` is over; `timer` is told to stop by its signal. */
  sleep(signal: AbortSignal, timer?: (stop: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#news || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = new AbortController();
      const wake = (): void => {
        this.#wake = undefined;
        signal.removeEventListener('abort', wake);
        stop.abort();
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake);
      timer?.(stop.signal).then(wake, wake);
    });
  }
}
