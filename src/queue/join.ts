/** Several queues as one: what this process submits to itself, beside what others leave in a spool or a bucket. */

import { sizeOf } from '../tiles/index.ts';
import type { Answer, QueueItem, SubmissionQueue } from './types.ts';

/**
 * The queues as one. A queue that had nothing is asked again when its own `wait` says so, and no sooner: a bucket is not
 * listed more often because another queue is busy, nor less often.
 */
export function joinQueues(queues: readonly SubmissionQueue[]): SubmissionQueue {
  return new JoinedQueue(queues);
}

class JoinedQueue implements SubmissionQueue {
  /** The one to be asked first comes first: they take turns, so that a busy one starves no other. */
  #queues: readonly SubmissionQueue[];
  /** Those that may have something. */
  readonly #ready: Set<SubmissionQueue>;
  /** The waits that are under way; each ends on news of its queue, or when all is closed. */
  readonly #waits = new Map<SubmissionQueue, Promise<void>>();
  /** Where each item that is not answered came from. */
  readonly #origin = new Map<string, SubmissionQueue>();
  readonly #closing = new AbortController();

  constructor(queues: readonly SubmissionQueue[]) {
    this.#queues = queues;
    this.#ready = new Set(queues);
  }

  async receive(maxBytes: number): Promise<QueueItem[]> {
    const items: QueueItem[] = [];
    let room = maxBytes;
    const failures: unknown[] = [];
    for (const queue of this.#takeTurns()) {
      if (room <= 0) break;
      if (!this.#ready.has(queue)) continue;
      try {
        const received = await queue.receive(room);
        if (received.length === 0) this.#letWait(queue);
        for (const item of received) {
          this.#origin.set(item.id, queue);
          items.push(item);
          room -= sizeOf(item.entries);
        }
      } catch (error) {
        failures.push(error);
      }
    }
    // One that fails keeps no other from being read; it is asked again the next time.
    if (items.length === 0 && failures.length > 0) throw failures[0];
    return items;
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (this.#ready.size > 0 || signal.aborted) return;
    const over = new AbortController();
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { signal: over.signal });
    });
    await Promise.race([aborted, ...this.#waits.values()]);
    over.abort();
  }

  async answer(answers: readonly Answer[]): Promise<void> {
    const byQueue = Map.groupBy(answers, ({ item }) => this.#origin.get(item.id));
    const answering = [...byQueue].map(async ([queue, own]) => {
      await queue?.answer(own);
      for (const { item } of own) this.#origin.delete(item.id);
    });
    // All of them end before the first failure is told: whoever tries again must not meet one that is under way.
    const failed = (await Promise.allSettled(answering)).find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async redeliver(): Promise<void> {
    for (const queue of this.#queues) {
      await queue.redeliver();
      this.#ready.add(queue);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const queue of this.#queues) await queue.close();
    await Promise.all(this.#waits.values());
  }

  #takeTurns(): readonly SubmissionQueue[] {
    const order = this.#queues;
    this.#queues = [...order.slice(1), ...order.slice(0, 1)];
    return order;
  }

  /** It had nothing: it is ready again once its own wait ends, whoever else is busy meanwhile. */
  #letWait(queue: SubmissionQueue): void {
    this.#ready.delete(queue);
    const ended = (): void => {
      this.#waits.delete(queue);
      this.#ready.add(queue);
    };
    // Why a wait fails, the queue says when it is asked.
    this.#waits.set(queue, queue.wait(this.#closing.signal).then(ended, ended));
  }
}
