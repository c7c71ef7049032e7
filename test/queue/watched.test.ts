/** What a sequencer took from its queue and has not published, as metrics tell it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type QueueItem, type SubmissionQueue, WatchedQueue } from '../../src/queue/index.ts';
import { encodeRun, entriesOf } from '../../src/tiles/index.ts';

const item = (id: string, ...lengths: number[]): QueueItem => ({
  id,
  entries: encodeRun(lengths.map((length) => new Uint8Array(length))),
});
const answerTo = (one: QueueItem) => ({
  item: one,
  receipt: { outcomes: entriesOf(one.entries).map((_, index) => ({ index, duplicate: false })), treeSize: 9 },
});

/** A queue that gives these items, one call each, and what it was asked. */
function scripted(...batches: QueueItem[][]): { queue: SubmissionQueue; asked: string[] } {
  const asked: string[] = [];
  const queue: SubmissionQueue = {
    async receive(maxBytes) {
      asked.push(`receive ${maxBytes}`);
      return batches.shift() ?? [];
    },
    async wait() {
      asked.push('wait');
    },
    async answer(answers) {
      asked.push(`answer ${answers.map((one) => one.item.id)}`);
    },
    async redeliver() {
      asked.push('redeliver');
    },
    async close() {
      asked.push('close');
    },
  };
  return { queue, asked };
}

test('what was taken is counted with its bytes and its age until it is answered, whatever the order', async () => {
  const [a, b, c] = [item('a', 3, 4), item('b', 5), item('c', 0)];
  let now = 1_000;
  const watched = new WatchedQueue(scripted([a, b], [c]).queue, { now: () => now });
  assert.deepEqual(watched.waiting(), { entries: 0, bytes: 0, oldestMs: 0 });
  await watched.receive(100);
  now = 1_500;
  await watched.receive(100);
  assert.deepEqual(watched.waiting(), { entries: 4, bytes: 12, oldestMs: 500 });
  await watched.answer([answerTo(b)]);
  assert.deepEqual(watched.waiting(), { entries: 3, bytes: 7, oldestMs: 500 });
  await watched.answer([answerTo(a)]);
  assert.deepEqual(watched.waiting(), { entries: 1, bytes: 0, oldestMs: 0 });
  await watched.answer([answerTo(c), answerTo(a)]);
  assert.deepEqual(watched.waiting(), { entries: 0, bytes: 0, oldestMs: 0 });
});

test('what is given back is counted when it comes again, and what comes twice once', async () => {
  const a = item('a', 3);
  const watched = new WatchedQueue(scripted([a], [a], [a]).queue, { now: () => 0 });
  await watched.receive(100);
  await watched.redeliver();
  assert.equal(watched.waiting().entries, 0);
  await watched.receive(100);
  await watched.receive(100);
  assert.deepEqual(watched.waiting(), { entries: 1, bytes: 3, oldestMs: 0 });
});

test('everything is asked of the queue itself, and its failures are its own', async () => {
  const { queue, asked } = scripted();
  const watched = new WatchedQueue(queue, { now: () => 0 });
  await watched.receive(7);
  await watched.wait(new AbortController().signal);
  await watched.answer([answerTo(item('x'))]);
  await watched.redeliver();
  await watched.close();
  assert.deepEqual(asked, ['receive 7', 'wait', 'answer x', 'redeliver', 'close']);
  const failing = new WatchedQueue({ ...queue, receive: () => Promise.reject(new Error('no')) }, { now: () => 0 });
  await assert.rejects(failing.receive(1), /no/);
});
