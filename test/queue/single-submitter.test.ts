/** Single entries through a queue: which travel together, what each is told, and that none is forgotten. */

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { BusyError, type ErrorCode, isSteleError, SteleError } from '../../src/errors.ts';
import {
  type EntryOutcome,
  FROZEN_REASON,
  type Receipt,
  type ReceiptWait,
  SingleSubmitter,
  type SingleSubmitterOptions,
  type Submitter,
} from '../../src/queue/index.ts';
import { ManualClock } from './manual-clock.ts';
import { text, textOf } from './queue-fixture.ts';

const forever = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const code = (expected: ErrorCode) => (error: unknown) => isSteleError(error, expected);

interface Item {
  readonly entries: readonly Uint8Array[];
  readonly receipt: PromiseWithResolvers<Receipt>;
  wait: ReceiptWait | undefined;
}

/** A queue that answers when the test says so. */
class FakeSubmitter implements Submitter {
  readonly items: Item[] = [];
  closed = false;
  /** What `submit` waits for. */
  submitting: Promise<unknown> = Promise.resolve();
  overlapping = 0;
  #under = 0;

  async submit(entries: readonly Uint8Array[]): Promise<string[]> {
    this.#under += 1;
    this.overlapping = Math.max(this.overlapping, this.#under);
    try {
      const place = this.items.push({ entries, receipt: Promise.withResolvers(), wait: undefined }) - 1;
      await this.submitting;
      return [String(place)];
    } finally {
      this.#under -= 1;
    }
  }

  waitForReceipt(name: string, options: ReceiptWait): Promise<Receipt> {
    const item = this.items[Number(name)];
    assert.ok(item);
    item.wait = options;
    const abort = (): void => item.receipt.reject(new SteleError('aborted', 'closing'));
    options.signal.addEventListener('abort', abort);
    if (options.signal.aborted) abort();
    return item.receipt.promise;
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** The entries of each item, as text. */
  get sent(): string[][] {
    return this.items.map(({ entries }) => entries.map(textOf));
  }

  answer(place: number, ...outcomes: EntryOutcome[]): void {
    this.items[place]?.receipt.resolve({ outcomes, treeSize: 100 });
  }
}

function opened(options: Partial<SingleSubmitterOptions> = {}) {
  const clock = new ManualClock();
  const queue = new FakeSubmitter();
  const limits = { maxEntries: 1_000, maxBytes: 2 ** 30, timeoutMs: 20_000 };
  const single = new SingleSubmitter(queue, { clock, ...limits, ...options });
  return { clock, queue, single, submit: (entry: string, signal = forever) => single.submitOne(text(entry), signal) };
}

const added = (index: number): EntryOutcome => ({ index, duplicate: false });
const NOTHING = { entries: 0, bytes: 0, oldestMs: 0 };

test('entries of one turn travel together, in order, and each is told its own outcome', async () => {
  const { clock, queue, single, submit } = opened();
  const answers = ['a', 'b', 'c'].map((entry) => submit(entry));
  await turn();
  assert.deepEqual(queue.sent, [['a', 'b', 'c']]);
  assert.equal(queue.items[0]?.wait?.timeoutMs, 20_000);
  assert.equal(queue.items[0]?.wait?.clock, clock);
  const outcomes = [added(7), { index: 3, duplicate: true }, added(8)];
  queue.answer(0, ...outcomes);
  assert.deepEqual(await Promise.all(answers), outcomes);
  assert.deepEqual(single.waiting(), NOTHING);
});

test('what comes while an item is put travels in the next one, and items are answered in any order', async () => {
  const { queue, submit } = opened();
  const gate = Promise.withResolvers<void>();
  queue.submitting = gate.promise;
  const first = submit('a');
  await turn();
  const others = [submit('b')];
  await turn();
  others.push(submit('c'));
  await turn();
  assert.deepEqual(queue.sent, [['a']]);
  gate.resolve();
  await turn();
  assert.deepEqual(queue.sent, [['a'], ['b', 'c']]);
  assert.equal(queue.overlapping, 1);
  queue.answer(1, added(1), added(2));
  assert.deepEqual(await Promise.all(others), [added(1), added(2)]);
  queue.answer(0, added(0));
  assert.deepEqual(await first, added(0));
});

test('an item has no more than 256 entries and a MiB of them, unless one alone is longer', async () => {
  for (const [count, size, lengths] of [
    [600, 1, [256, 256, 88]],
    [20, 65_535, [16, 4]],
    [1, 65_535, [1]],
    [1, 0, [1]],
  ] as const) {
    const { queue, single } = opened();
    for (let i = 0; i < count; i++) single.submitOne(new Uint8Array(size), forever).catch(() => {});
    await turn();
    assert.deepEqual(
      queue.items.map(({ entries }) => entries.length),
      lengths,
    );
  }
});

test('an entry that comes in any moment after an item was put is not forgotten', async () => {
  for (let moment = 0; moment < 20; moment++) {
    const { queue, submit } = opened();
    const gate = Promise.withResolvers<void>();
    queue.submitting = gate.promise;
    submit('a').catch(() => {});
    await turn();
    let passed = gate.promise;
    for (let i = 0; i < moment; i++) passed = passed.then(() => {});
    passed.then(() => submit('b').catch(() => {}));
    gate.resolve();
    await turn();
    await turn();
    assert.deepEqual(queue.sent, [['a'], ['b']], `after ${moment} microtasks`);
  }
});

test('above the limits nothing is taken, and there is room again once something is answered', async () => {
  for (const limits of [{ maxEntries: 2 }, { maxBytes: 5 }]) {
    const { queue, single, submit } = opened(limits);
    const answers = [submit('aa'), submit('bb')];
    const isBusy = (error: unknown) => error instanceof BusyError && error.retryAfterMs === 1_000;
    await assert.rejects(submit('cc'), isBusy);
    await turn();
    await assert.rejects(submit('cc'), isBusy);
    assert.deepEqual(queue.sent, [['aa', 'bb']]);
    queue.answer(0, added(0), added(1));
    await Promise.all(answers);
    const third = submit('cc');
    await turn();
    queue.answer(1, added(2));
    assert.deepEqual(await third, added(2));
    assert.deepEqual(single.waiting(), NOTHING);
  }
});

test('an entry of 65,536 bytes is refused before it is put (LIMIT-1)', async () => {
  const { queue, single } = opened();
  await assert.rejects(single.submitOne(new Uint8Array(65_536), forever), code('limit'));
  await turn();
  assert.deepEqual([queue.items.length, single.waiting()], [0, NOTHING]);
});

test('a refusal is told to whom it is about, and to all of an item that was set aside as a whole', async () => {
  const { queue, single, submit } = opened();
  const [good, odd, frozen] = [submit('a'), submit('b'), submit('c')];
  await turn();
  queue.answer(0, added(0), { refused: 'too odd' }, { refused: FROZEN_REASON });
  assert.deepEqual(await good, added(0));
  await assert.rejects(odd, (error) => isSteleError(error, 'limit') && error.message === 'too odd');
  await assert.rejects(frozen, code('frozen'));
  const aside = ['d', 'e', 'f'].map((entry) => submit(entry));
  await turn();
  queue.answer(1, { refused: 'set aside' });
  for (const answer of aside) await assert.rejects(answer, { message: 'set aside' });
  assert.deepEqual(single.waiting(), NOTHING);
});

test('a receipt for another number of entries is believed for none of them', async () => {
  for (const outcomes of [
    [],
    [added(1)],
    [added(1), added(2), added(3)],
    [{ refused: 'x' }, { refused: 'y' }, added(1)],
  ]) {
    const { queue, single, submit } = opened();
    const answers = [submit('a'), submit('b')];
    await turn();
    queue.answer(0, ...outcomes);
    for (const answer of answers) await assert.rejects(answer, code('malformed'));
    assert.deepEqual(single.waiting(), NOTHING);
  }
});

test('when an item cannot be put, or has no receipt in time, all in it are told, and the next one goes its way', async () => {
  const { queue, single, submit } = opened();
  queue.submitting = Promise.reject(new SteleError('unreachable', 'the bucket is gone'));
  const lost = [submit('a'), submit('b')];
  for (const answer of lost) await assert.rejects(answer, code('unreachable'));
  queue.submitting = Promise.resolve();
  const late = [submit('c'), submit('d')];
  await turn();
  queue.items[1]?.receipt.reject(new BusyError('no receipt', 2_000));
  for (const answer of late) await assert.rejects(answer, code('busy'));
  const good = submit('e');
  await turn();
  queue.answer(2, added(0));
  assert.deepEqual(await good, added(0));
  assert.deepEqual(single.waiting(), NOTHING);
});

test('whoever gives up is told at once, counts until it is answered, and leaves the others alone', async () => {
  const { clock, queue, single, submit } = opened();
  await assert.rejects(submit('early', AbortSignal.abort()), code('aborted'));
  assert.deepEqual(single.waiting(), NOTHING);
  const stop = new AbortController();
  const [gone, stays] = [submit('gone', stop.signal), submit('stays')];
  await turn();
  clock.advance(1_500);
  stop.abort();
  await assert.rejects(gone, code('aborted'));
  assert.deepEqual(single.waiting(), { entries: 2, bytes: 9, oldestMs: 1_500 });
  queue.answer(0, added(0), added(1));
  assert.deepEqual(await stays, added(1));
  assert.deepEqual(single.waiting(), NOTHING);
});

test('an answered entry leaves nothing at the signal of whoever submitted it', async () => {
  const { queue, submit } = opened();
  const { signal } = new AbortController();
  const answers = [submit('a', signal), submit('b', signal)];
  await turn();
  queue.answer(0, added(0), { refused: 'x' });
  await Promise.allSettled(answers);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('the oldest is the first that waits, whichever items were answered', async () => {
  const { clock, queue, single, submit } = opened();
  const [first, second] = [submit('a'), turn().then(() => submit('b'))];
  await turn();
  await turn();
  clock.advance(700);
  const third = submit('c');
  await turn();
  clock.advance(300);
  queue.answer(1, added(1));
  await second;
  assert.deepEqual(single.waiting(), { entries: 2, bytes: 2, oldestMs: 1_000 });
  queue.answer(0, added(0));
  await first;
  assert.equal(single.waiting().oldestMs, 300);
  queue.answer(2, added(2));
  await third;
  assert.deepEqual(single.waiting(), NOTHING);
});

test('closing tells everyone who waits, once, whether their item was put or not', async () => {
  const { queue, single, submit } = opened();
  const put = submit('put');
  await turn();
  const gate = Promise.withResolvers<void>();
  queue.submitting = gate.promise;
  const underWay = submit('under way');
  await turn();
  const gathered = submit('gathered');
  const closed = single.close();
  for (const answer of [put, underWay, gathered]) await assert.rejects(answer, code('aborted'));
  assert.equal(queue.closed, false, 'an item is being put');
  gate.resolve();
  await closed;
  assert.equal(queue.closed, true);
  assert.deepEqual(queue.sent, [['put'], ['under way']]);
  assert.deepEqual(single.waiting(), NOTHING);
  await assert.rejects(submit('late'), code('aborted'));
});
