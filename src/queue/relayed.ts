/** The queue of a sequencer to which another thread sends what was submitted there. */

import { sizeOf } from '../tiles/index.ts';
import type { Answer, QueueItem, SubmissionQueue } from './types.ts';
import { Wakeup } from './wakeup.ts';

export class RelayedQueue implements SubmissionQueue {
  readonly #answer: (answers: readonly Answer[]) => void;
  readonly #bell = new Wakeup();
  /** In order of arrival. */
  readonly #unanswered = new Map<string, QueueItem>();
  #undelivered: QueueItem[] = [];

  /** `answer` is called with what is to be sent back. */
  constructor(answer: (answers: readonly Answer[]) => void) {
    this.#answer = answer;
  }

  /** An item has come. Whoever sent it keeps the limits of what may wait. */
  arrived(item: QueueItem): void {
    this.#unanswered.set(item.id, item);
    this.#undelivered.push(item);
    this.#bell.ring();
  }

  async receive(maxBytes: number): Promise<QueueItem[]> {
    this.#bell.hush();
    let bytes = 0;
    const end = this.#undelivered.findIndex((item, i) => {
      bytes += sizeOf(item.entries);
      return i > 0 && bytes > maxBytes;
    });
    return this.#undelivered.splice(0, end < 0 ? this.#undelivered.length : end);
  }

  /** There is nothing to poll. */
  async wait(signal: AbortSignal): Promise<void> {
    if (this.#undelivered.length === 0) await this.#bell.sleep(signal);
  }

  async answer(answers: readonly Answer[]): Promise<void> {
    for (const { item } of answers) this.#unanswered.delete(item.id);
    this.#answer(answers);
  }

  async redeliver(): Promise<void> {
    this.#undelivered = [...this.#unanswered.values()];
    this.#bell.ring();
  }

  async close(): Promise<void> {}
}
