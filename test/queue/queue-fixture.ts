/** A stand-in for the sequencer, for tests of any queue. */

import type { Answer, QueueItem, SubmissionQueue } from '../../src/queue/index.ts';
import { entriesOf as entriesIn } from '../../src/tiles/index.ts';

export const MIB = 2 ** 20;

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Answers that give consecutive indices from `start`. */
export function answersFor(items: readonly QueueItem[], start = 0): Answer[] {
  let index = start;
  return items.map((item) => {
    const outcomes = entriesIn(item.entries).map(() => ({ index: index++, duplicate: false }));
    return { item, receipt: { outcomes, treeSize: index } };
  });
}

/** What comes next, now or after the next look at what is there: a queue may spare itself one. */
export async function take(queue: SubmissionQueue, maxBytes = MIB): Promise<QueueItem[]> {
  const items = await queue.receive(maxBytes);
  if (items.length > 0) return items;
  await queue.wait(AbortSignal.abort());
  return queue.receive(maxBytes);
}

/** All that waits. */
export async function receiveAll(queue: SubmissionQueue): Promise<QueueItem[]> {
  const all: QueueItem[] = [];
  for (let items = await take(queue); items.length > 0; items = await take(queue)) all.push(...items);
  return all;
}

/** As text, an array per item. */
export const entriesOf = (items: readonly QueueItem[]): string[][] =>
  items.map(({ entries }) => entriesIn(entries).map(textOf));
