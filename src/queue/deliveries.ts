/** What a queue has given to its sequencer and not seen answered, the same for every kind of queue. */

import type PQueue from 'p-queue';
import { forAll } from './for-all.ts';
import type { Answer, QueueItem, Receipt } from './types.ts';

/** An item that is being answered. */
export interface Leaving<Handle> {
  readonly id: string;
  readonly receipt: Receipt;
  /** What the queue knows its copies by: several when equal bytes wait more than once. */
  readonly handles: readonly Handle[];
}

/** `Handle`: what a queue knows one copy of an item by, such as the name of its file. */
export class Deliveries<Handle> {
  readonly #handles = new Map<string, Handle[]>();
  #round = 0;

  /** Counts how often all was forgotten: what was begun before that is not to be kept. */
  get round(): number {
    return this.#round;
  }

  /** Marks copies as delivered; the items that are new: bytes that are with the sequencer are not delivered twice. */
  add(received: Iterable<readonly [handle: Handle, item: QueueItem]>): QueueItem[] {
    const items: QueueItem[] = [];
    for (const [handle, item] of received) {
      if (!this.#handles.has(item.id)) items.push(item);
      this.#attach(item.id, handle);
    }
    return items;
  }

  /** Equal bytes that come from now on are another delivery, with an answer of their own. */
  take(answers: readonly Answer[]): Leaving<Handle>[] {
    const leaving = answers.map(({ item: { id }, receipt }) => ({ id, receipt, handles: this.#handles.get(id) ?? [] }));
    for (const { id } of leaving) this.#handles.delete(id);
    return leaving;
  }

  /** As they were, so that they can be answered again; `round` is that in which they were taken. */
  putBack(round: number, leaving: readonly Leaving<Handle>[]): void {
    if (round !== this.#round) return;
    for (const { id, handles } of leaving) for (const handle of handles) this.#attach(id, handle);
  }

  /**
   * Answers every copy by itself; those that fail are put back, they alone: where one request in fifty fails, of hundreds
   * one would fail each time. Throws the first failure once all have ended.
   */
  async answerEach(
    io: PQueue,
    answers: readonly Answer[],
    answer: (handle: Handle, leaving: Leaving<Handle>) => Promise<void>,
  ): Promise<void> {
    const round = this.#round;
    const copies = this.take(answers).flatMap((leaving) => leaving.handles.map((handle) => ({ handle, leaving })));
    await forAll(io, copies, async ({ handle, leaving }) => {
      try {
        await answer(handle, leaving);
      } catch (error) {
        this.putBack(round, [{ ...leaving, handles: [handle] }]);
        throw error;
      }
    });
  }

  /** What was delivered will be delivered again. */
  forget(): void {
    this.#round += 1;
    this.#handles.clear();
  }

  #attach(id: string, handle: Handle): void {
    const handles = this.#handles.get(id);
    if (handles) handles.push(handle);
    else this.#handles.set(id, [handle]);
  }
}
