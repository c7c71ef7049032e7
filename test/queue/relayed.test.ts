/** The queue of a sequencer in a thread, by itself. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, type QueueItem, RelayedQueue } from '../../src/queue/index.ts';
import { encodeRun } from '../../src/tiles/index.ts';
import { answersFor } from './queue-fixture.ts';

const item = (id: string, bytes = 10): QueueItem => ({ id, entries: encodeRun([new Uint8Array(bytes)]) });
const idsOf = (items: readonly QueueItem[]): string[] => items.map(({ id }) => id);

test('what arrived is received in order, about as many bytes as asked for, and one item at least', async () => {
  const queue = new RelayedQueue(() => {});
  for (const id of ['a', 'b', 'c', 'd']) queue.arrived(item(id));
  assert.deepEqual(idsOf(await queue.receive(1)), ['a']);
  assert.deepEqual(idsOf(await queue.receive(25)), ['b', 'c']);
  assert.deepEqual(idsOf(await queue.receive(25)), ['d']);
  assert.deepEqual(await queue.receive(25), []);
});

test('a wait ends with the next arrival, or on abort, and at once where something waits', async () => {
  const queue = new RelayedQueue(() => {});
  const waiting = queue.wait(new AbortController().signal);
  queue.arrived(item('a'));
  await waiting;
  await queue.wait(new AbortController().signal);
  await queue.receive(100);
  const stop = new AbortController();
  const aborted = queue.wait(stop.signal);
  stop.abort();
  await aborted;
});

test('what is answered is sent back, and what is not comes again, in its old order', async () => {
  const sent: Answer[] = [];
  const queue = new RelayedQueue((answers) => sent.push(...answers));
  for (const id of ['a', 'b', 'c']) queue.arrived(item(id));
  const items = await queue.receive(100);
  const [, second] = answersFor(items);
  assert.ok(second);
  await queue.answer([second]);
  assert.deepEqual(sent, [second]);
  queue.arrived(item('d'));
  await queue.redeliver();
  assert.deepEqual(idsOf(await queue.receive(100)), ['a', 'c', 'd']);
});
