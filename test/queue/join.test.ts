/** Several queues as one: nobody's items are lost, late, or answered elsewhere because of another queue. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSteleError, SteleError } from '../../src/errors.ts';
import { type Answer, joinQueues, type QueueItem, type SubmissionQueue } from '../../src/queue/index.ts';
import { encodeRun, sizeOf } from '../../src/tiles/index.ts';
import { answersFor, entriesOf, MIB, text } from './queue-fixture.ts';

const forever = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A queue that does what the test says, and counts what it is asked. */
class FakeQueue implements SubmissionQueue {
  readonly #name: string;
  #made = 0;
  #line: QueueItem[] = [];
  #delivered: QueueItem[] = [];
  #ring: () => void = () => {};
  readonly asked: number[] = [];
  waits = 0;
  closed = false;
  readonly answered: Answer[] = [];
  /** What `receive` and `answer` throw. */
  failure: Error | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /** An item with one entry of that many bytes, which is the item's name and spaces. */
  put(size = 8): void {
    this.#made += 1;
    const id = `${this.#name}${this.#made}`;
    this.#line.push({ id, entries: encodeRun([text(id.padEnd(size))]) });
  }

  /** Ends the wait. */
  ring(): void {
    this.#ring();
  }

  async receive(maxBytes: number): Promise<QueueItem[]> {
    this.asked.push(maxBytes);
    if (this.failure !== undefined) throw this.failure;
    const items: QueueItem[] = [];
    let bytes = 0;
    for (const item of this.#line) {
      bytes += sizeOf(item.entries);
      if (items.length > 0 && bytes > maxBytes) break;
      items.push(item);
    }
    this.#line = this.#line.slice(items.length);
    this.#delivered.push(...items);
    return items;
  }

  wait(signal: AbortSignal): Promise<void> {
    this.waits += 1;
    return new Promise((resolve) => {
      this.#ring = resolve;
      signal.addEventListener('abort', () => resolve());
      if (signal.aborted) resolve();
    });
  }

  async answer(answers: readonly Answer[]): Promise<void> {
    await turn();
    if (this.failure !== undefined) throw this.failure;
    this.answered.push(...answers);
    this.#delivered = this.#delivered.filter(({ id }) => answers.every(({ item }) => item.id !== id));
  }

  async redeliver(): Promise<void> {
    this.#line = [...this.#delivered, ...this.#line];
    this.#delivered = [];
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

function joined(): { a: FakeQueue; b: FakeQueue; queue: SubmissionQueue } {
  const [a, b] = [new FakeQueue('a'), new FakeQueue('b')];
  return { a, b, queue: joinQueues([a, b]) };
}

const idsOf = (items: readonly QueueItem[]): string[] => items.map(({ id }) => id);
const answeredBy = ({ answered }: FakeQueue): string[] => answered.map(({ item }) => item.id);

/** Asks `count` times, as a sequencer does that is never idle, whatever fails; the ids of all that came. */
async function ask(queue: SubmissionQueue, count: number, before: () => void = () => {}): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    before();
    const items = await queue.receive(MIB).catch((): QueueItem[] => []);
    ids.push(...idsOf(items));
    await turn();
  }
  return ids;
}

test('items of all queues come, each in its order, and each is answered where it came from', async () => {
  const { a, b, queue } = joined();
  for (const one of [a, b, a, b, b]) one.put();
  const items = await queue.receive(MIB);
  assert.deepEqual(idsOf(items), ['a1', 'a2', 'b1', 'b2', 'b3']);
  const answers = answersFor(items);
  await queue.answer(answers.toReversed());
  assert.deepEqual(
    [answeredBy(a), answeredBy(b)],
    [
      ['a2', 'a1'],
      ['b3', 'b2', 'b1'],
    ],
  );
  assert.equal(a.answered[1], answers[0], 'as it was given');
  assert.deepEqual(await queue.receive(MIB), []);
});

test('the queues share the room there is, and the one that had none comes first the next time', async () => {
  const { a, b, queue } = joined();
  for (const one of [a, b, a, b]) one.put(600);
  assert.deepEqual(idsOf(await queue.receive(1_000)), ['a1', 'b1']);
  assert.deepEqual([a.asked, b.asked], [[1_000], [400]]);
  a.put(600);
  a.put(600);
  const { length } = a.asked;
  assert.deepEqual(idsOf(await queue.receive(500)), ['b2']);
  assert.equal(a.asked.length, length, 'there was no room left for it');
  assert.deepEqual(idsOf(await queue.receive(5_000)), ['a2', 'a3', 'a4']);
});

test('a queue that is always full does not keep the items of another waiting', async () => {
  const { a, b, queue } = joined();
  for (let i = 0; i < 40; i++) a.put(65_535);
  for (let i = 0; i < 3; i++) b.put(65_535);
  const came = entriesOf((await Promise.all([1, 2, 3, 4, 5, 6].map(() => queue.receive(65_535)))).flat());
  assert.equal(came.filter(([entry]) => entry?.startsWith('b')).length, 3);
});

test('a queue that had nothing is asked again when its wait is over, although the other has something each time', async () => {
  const { a, b, queue } = joined();
  await ask(queue, 5, () => a.put());
  assert.equal(b.asked.length, 1, 'no sooner');
  b.put();
  b.ring();
  const ids = await ask(queue, 5, () => a.put());
  assert.deepEqual(
    ids.filter((id) => id.startsWith('b')),
    ['b1'],
    'and no later',
  );
});

test('a queue that had nothing is asked again when its wait is over, although the other fails each time', async () => {
  const { a, b, queue } = joined();
  b.failure = new SteleError('unreachable', 'the bucket is gone');
  assert.deepEqual(await ask(queue, 3), []);
  a.put();
  a.ring();
  assert.deepEqual(await ask(queue, 5), ['a1']);
});

test('while all are idle, none is asked before its own wait is over', async () => {
  const { a, b, queue } = joined();
  assert.deepEqual(await queue.receive(MIB), []);
  for (let round = 1; round <= 3; round++) {
    const waited = queue.wait(forever);
    b.ring();
    await waited;
    assert.deepEqual(await queue.receive(MIB), []);
    assert.deepEqual([a.asked.length, b.asked.length], [1, 1 + round]);
  }
  assert.equal(a.waits, 1, 'the wait of the other goes on meanwhile');
});

test('when one queue fails, the other is delivered all the same, and the failure is told once nothing comes', async () => {
  const { a, b, queue } = joined();
  a.put();
  b.failure = new SteleError('unreachable', 'the bucket is gone');
  assert.deepEqual(idsOf(await queue.receive(MIB)), ['a1']);
  a.put();
  assert.deepEqual(idsOf(await queue.receive(MIB)), ['a2'], 'though the one that fails is asked first now');
  await assert.rejects(queue.receive(MIB), b.failure);
  a.put();
  a.ring();
  b.failure = undefined;
  b.put();
  assert.deepEqual((await ask(queue, 2)).sort(), ['a3', 'b1']);
});

test('an answer that one queue fails to take is taken by the others, and by it when it is tried again', async () => {
  const { a, b, queue } = joined();
  for (const one of [a, b]) one.put();
  const answers = answersFor(await queue.receive(MIB));
  b.failure = new SteleError('unreachable', 'the bucket is gone');
  await assert.rejects(queue.answer(answers), (error) => isSteleError(error, 'unreachable'));
  assert.deepEqual(answeredBy(a), ['a1'], 'before the failure was told');
  b.failure = undefined;
  await queue.answer(answers);
  assert.deepEqual([answeredBy(a), answeredBy(b)], [['a1'], ['b1']]);
});

test('what is delivered again comes from every queue, and is answered where it came from', async () => {
  const { a, b, queue } = joined();
  for (const one of [a, b, b]) one.put();
  const [first] = answersFor(await queue.receive(MIB));
  assert.ok(first);
  await queue.answer([first]);
  assert.deepEqual(await queue.receive(MIB), []);
  await queue.redeliver();
  const again = await queue.receive(MIB);
  assert.deepEqual(idsOf(again).sort(), ['b1', 'b2'], 'although neither had anything new');
  await queue.answer(answersFor(again, 1));
  assert.deepEqual([answeredBy(a), answeredBy(b)], [['a1'], ['b1', 'b2']]);
});

test('a wait ends at once while there may be something, on news of any queue, and on abort', async () => {
  const { a, b, queue } = joined();
  await queue.wait(forever);
  await queue.receive(MIB);
  for (const one of [a, b]) {
    const waited = queue.wait(forever);
    one.ring();
    await waited;
    await queue.receive(MIB);
  }
  await queue.wait(AbortSignal.abort());
  const waits = a.waits + b.waits;
  for (let i = 0; i < 20; i++) {
    const stop = new AbortController();
    const waited = queue.wait(stop.signal);
    stop.abort();
    await waited;
  }
  assert.ok(a.waits + b.waits <= waits + 2, 'waits that were given up go on, and do not pile up');
});

test('closing closes every queue and ends the wait', async () => {
  const { a, b, queue } = joined();
  await queue.receive(MIB);
  const waited = queue.wait(forever);
  await queue.close();
  await waited;
  assert.deepEqual([a.closed, b.closed], [true, true]);
});
