/** A queue whose items are counted as they pass: what the sequencer took of it and has not published. */

import type { Clock } from '../clock.ts';
import { sizeOf } from '../tiles/index.ts';
import type { Answer, QueueItem, SubmissionQueue, Waiting } from './types.ts';

interface Taken {
  readonly entries: number;
  readonly bytes: number;
  readonly sinceMs: number;
}

export class WatchedQueue implements SubmissionQueue {
  readonly #queue: SubmissionQueue;
  readonly #clock: Pick<Clock, 'now'>;
  /** By the names of their items, in the order in which they came. */
  readonly #taken = new Map<string, Taken>();
  #entries = 0;
  #bytes = 0;

  constructor(queue: SubmissionQueue, clock: Pick<Clock, 'now'>) {
    this.#queue = queue;
    this.#clock = clock;
  }

  /** What nobody has taken yet is not in it: only the queue knows that. */
  waiting(): Waiting {
    const [oldest] = this.#taken.values();
    const oldestMs = oldest === undefined ? 0 : this.#clock.now() - oldest.sinceMs;
    return { entries: this.#entries, bytes: this.#bytes, oldestMs };
  }

  async receive(maxBytes: number): Promise<QueueItem[]> {
    const items = await this.#queue.receive(maxBytes);
    const sinceMs = this.#clock.now();
    for (const { id, entries } of items) {
      this.#forget(id);
      const bytes = sizeOf(entries);
      this.#taken.set(id, { entries: entries.length, bytes, sinceMs });
      this.#entries += entries.length;
      this.#bytes += bytes;
    }
    return items;
  }

  wait(signal: AbortSignal): Promise<void> {
    return this.#queue.wait(signal);
  }

  answer(answers: readonly Answer[]): Promise<void> {
    for (const { item } of answers) this.#forget(item.id); // it is published, whether the answer arrives or not
    return this.#queue.answer(answers);
  }

  redeliver(): Promise<void> {
    for (const id of this.#taken.keys()) this.#forget(id);
    return this.#queue.redeliver();
  }

  close(): Promise<void> {
    return this.#queue.close();
  }

  #forget(id: string): void {
    const taken = this.#taken.get(id);
    if (taken === undefined) return;
    this.#taken.delete(id);
    this.#entries -= taken.entries;
    this.#bytes -= taken.bytes;
  }
}
