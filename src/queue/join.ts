/** Several queues as one: what this process submits to itself, beside what others leave in a spool or a bucket. */

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
    for (const queue of this.#takeTurns()) {
      if (room <= 0) break;
      if (!this.#ready.has(queue)) continue;
      const received = await this.#receiveFrom(queue, room, items.length > 0);
      if (received?.length === 0) this.#ready.delete(queue);
      for (const item of received ?? []) {
        this.#origin.set(item.id, queue);
        items.push(item);
        for (const entry of item.entries) room -= entry.length;
      }
    }
    return items;
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (this.#ready.size > 0 || signal.aborted) return;
    const over = new AbortController();
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { signal: over.signal });
    });
    await Promise.race([aborted, ...this.#queues.map((queue) => this.#waitFor(queue))]);
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

  /** Undefined: it failed, and something came from another one, which must not be lost with it. */
  async #receiveFrom(
    queue: SubmissionQueue,
    maxBytes: number,
    someCame: boolean,
  ): Promise<readonly QueueItem[] | undefined> {
    try {
      return await queue.receive(maxBytes);
    } catch (error) {
      if (someCame) return undefined;
      throw error;
    }
  }

  #waitFor(queue: SubmissionQueue): Promise<void> {
    const waiting =
      this.#waits.get(queue) ??
      queue.wait(this.#closing.signal).finally(() => {
        this.#waits.delete(queue);
        this.#ready.add(queue);
      });
    this.#waits.set(queue, waiting);
    return waiting;
  }
}
