import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { BusyError, isSteleError, SteleError } from '../../src/errors.ts';
import {
  type EntryOutcome,
  MemoryQueue,
  QUEUE_LIMITS,
  type QueueItem,
  type QueueLimits,
} from '../../src/queue/index.ts';
import { entriesOf as entriesIn } from '../../src/tiles/index.ts';
import { ManualClock } from './manual-clock.ts';

const MIB = 2 ** 20;
const bytes = (size: number): Uint8Array => new Uint8Array(size);
const open = (limits: Partial<QueueLimits> = {}, clock = new ManualClock()): MemoryQueue =>
  new MemoryQueue({ limits: { ...QUEUE_LIMITS, ...limits }, clock });

/** Answers like a log that gives the next index to every entry. */
function log(queue: MemoryQueue): { readonly answer: (items: readonly QueueItem[]) => Promise<void>; size: number } {
  const state = {
    size: 0,
    answer: (items: readonly QueueItem[]) =>
      queue.answer(
        items.map((item) => {
          const outcomes = entriesIn(item.entries).map(() => ({ index: state.size++, duplicate: false }));
          return { item, receipt: { outcomes, treeSize: state.size } };
        }),
      ),
  };
  return state;
}

test('single entries are answered each with its own index, in the order of the calls', async () => {
  const queue = open();
  const { answer } = log(queue);
  const outcomes = Array.from({ length: 1_000 }, (_, i) => queue.submitOne(bytes(i % 7)));
  const items = await queue.receive(MIB);
  assert.deepEqual(
    items.flatMap((item) => entriesIn(item.entries).map((entry) => entry.length)),
    Array.from({ length: 1_000 }, (_, i) => i % 7),
  );
  assert.ok(items.length < 10, `${items.length} items for 1,000 entries`);
  await answer(items);
  assert.deepEqual(
    (await Promise.all(outcomes)).map((outcome) => 'index' in outcome && outcome.index),
    Array.from({ length: 1_000 }, (_, i) => i),
  );
});

test('batches and single entries keep the order of the calls', async () => {
  const queue = open();
  const { answer } = log(queue);
  const first = queue.submitOne(bytes(1));
  const second = queue.submit([bytes(2), bytes(3)]);
  const third = queue.submitOne(bytes(4));
  const items = await queue.receive(MIB);
  assert.deepEqual(
    items.map((item) => entriesIn(item.entries).map((entry) => entry.length)),
    [[1], [2, 3], [4]],
  );
  await answer(items);
  assert.deepEqual(await first, { index: 0, duplicate: false });
  assert.equal((await second).treeSize, 3);
  assert.deepEqual(await third, { index: 3, duplicate: false });
});

test('a batch beyond the limits of an item is several items and one receipt', async () => {
  const queue = open();
  const { answer } = log(queue);
  const receipt = queue.submit(new Array<Uint8Array>(65_537).fill(bytes(1)));
  const items = await queue.receive(MIB);
  assert.deepEqual(
    items.map((item) => item.entries.length),
    [65_536, 1],
  );
  await answer(items);
  const { outcomes, treeSize } = await receipt;
  assert.equal(outcomes.length, 65_537);
  assert.equal(treeSize, 65_537);
});

test('receive gives about as many bytes as asked for, and one item at least', async () => {
  const queue = open();
  for (let i = 0; i < 4; i++) queue.submit([bytes(1_000)]).catch(() => {});
  assert.equal((await queue.receive(2_500)).length, 2);
  assert.equal((await queue.receive(1)).length, 1);
  assert.equal((await queue.receive(MIB)).length, 1);
  assert.equal((await queue.receive(MIB)).length, 0);
  await queue.close();
});

test('a full queue answers busy, and everything it took before is answered (LOAD-1)', async () => {
  const queue = open({ maxEntries: 5, retryAfterMs: 250 });
  const { answer } = log(queue);
  const taken = [queue.submit([bytes(1), bytes(1)]), queue.submit([bytes(1), bytes(1)])];
  const isBusy = (error: unknown): boolean => error instanceof BusyError && error.retryAfterMs === 250;
  await assert.rejects(queue.submit([bytes(1), bytes(1)]), isBusy);
  const single = queue.submitOne(bytes(1));
  await assert.rejects(queue.submitOne(bytes(1)), isBusy);
  const items = await queue.receive(MIB);
  // Delivered is not answered: there is still no room.
  await assert.rejects(queue.submitOne(bytes(1)), isBusy);
  assert.equal(items.flatMap((item) => entriesIn(item.entries)).length, 5);
  await answer(items);
  await Promise.all([...taken, single]);
  const later = queue.submitOne(bytes(1));
  await answer(await queue.receive(MIB));
  assert.deepEqual(await later, { index: 5, duplicate: false });
});

test('the queue is bounded in bytes and in age as well (LOAD-1)', async () => {
  const clock = new ManualClock();
  const queue = open({ maxBytes: 100, maxAgeMs: 1_000 }, clock);
  const { answer } = log(queue);
  const first = queue.submitOne(bytes(60));
  await assert.rejects(queue.submitOne(bytes(41)), (error) => isSteleError(error, 'busy'));
  const second = queue.submitOne(bytes(40));
  await answer(await queue.receive(MIB));
  await Promise.all([first, second]);

  const old = queue.submitOne(bytes(1));
  await setImmediate(); // time passes between turns: within one, the queue asks for it once
  clock.advance(1_000);
  const young = queue.submitOne(bytes(1));
  await setImmediate();
  clock.advance(1);
  await assert.rejects(queue.submitOne(bytes(1)), (error) => isSteleError(error, 'busy'));
  await answer(await queue.receive(MIB));
  await Promise.all([old, young]);
  const after = queue.submitOne(bytes(1));
  await answer(await queue.receive(MIB));
  await after;
});

test('the clock is read once for all that is submitted in one turn', async () => {
  const clock = new ManualClock();
  const now = mock.method(clock, 'now');
  const queue = open({}, clock);
  const { answer } = log(queue);
  for (const turn of [1, 2]) {
    const outcomes = Array.from({ length: 1_000 }, () => queue.submitOne(bytes(1)));
    assert.equal(now.mock.callCount(), turn);
    await answer(await queue.receive(MIB));
    await Promise.all(outcomes);
  }
});

test('what could never fit is refused for good, not for now', async () => {
  const queue = open({ maxEntries: 5 });
  await assert.rejects(queue.submit(new Array<Uint8Array>(6).fill(bytes(1))), (error) => isSteleError(error, 'limit'));
  await assert.rejects(queue.submit([]), (error) => isSteleError(error, 'limit'));
});

test('entries of 0, 1 and 65,535 bytes are taken, one of 65,536 spoils only its own submission (LIMIT-1)', async () => {
  const queue = open();
  const { answer } = log(queue);
  const taken = [0, 1, 65_535].map((size) => queue.submitOne(bytes(size)));
  await assert.rejects(queue.submitOne(bytes(65_536)), (error) => isSteleError(error, 'limit'));
  await assert.rejects(queue.submit([bytes(1), bytes(65_536)]), (error) => isSteleError(error, 'limit'));
  const items = await queue.receive(MIB);
  assert.deepEqual(
    items.flatMap((item) => entriesIn(item.entries).map((entry) => entry.length)),
    [0, 1, 65_535],
  );
  await answer(items);
  await Promise.all(taken);
});

test('closing settles everyone who waits, delivered or not, and turns away those who come later (LOAD-3)', async () => {
  const queue = open();
  const settled: string[] = [];
  const count = (promise: Promise<unknown>, name: string): Promise<unknown> =>
    promise.then(
      () => settled.push(`${name} resolved`),
      (error) => settled.push(`${name} ${error.code}`),
    );
  const waiters = [count(queue.submitOne(bytes(1)), 'delivered'), count(queue.submit([bytes(2)]), 'batch')];
  const items = await queue.receive(MIB);
  waiters.push(count(queue.submitOne(bytes(3)), 'waiting'));
  await queue.close();
  await log(queue).answer(items);
  await queue.close(new SteleError('frozen', 'too late to matter'));
  waiters.push(count(queue.submitOne(bytes(4)), 'late'));
  await Promise.all(waiters);
  assert.deepEqual(settled.toSorted(), ['batch aborted', 'delivered aborted', 'late aborted', 'waiting aborted']);
  assert.deepEqual(await queue.receive(MIB), []);
  await queue.wait(new AbortController().signal);
});

test('closing with a reason tells it to those who wait', async () => {
  const queue = open();
  const waiter = queue.submitOne(bytes(1));
  await Promise.all([
    assert.rejects(waiter, (error) => isSteleError(error, 'frozen')),
    queue.close(new SteleError('frozen', 'the log is frozen')),
  ]);
});

test('a caller that gives up is told so, and its entries stay in the queue (LOAD-3)', async () => {
  const queue = open();
  const { answer } = log(queue);
  const caller = new AbortController();
  const [one, batch] = [queue.submitOne(bytes(1), caller.signal), queue.submit([bytes(2)], caller.signal)];
  const gaveUp = [one, batch].map((waiter) => assert.rejects(waiter, (error) => isSteleError(error, 'aborted')));
  caller.abort();
  await Promise.all(gaveUp);
  const items = await queue.receive(MIB);
  assert.equal(items.length, 2);
  await answer(items);
  await assert.rejects(queue.submitOne(bytes(1), caller.signal), (error) => isSteleError(error, 'aborted'));
  assert.deepEqual(await queue.receive(MIB), []);
});

test('what was delivered comes again in its old place after a redelivery, and is answered once (LOAD-3)', async () => {
  const queue = open();
  const { answer } = log(queue);
  const outcomes = [1, 2, 3].map((size) => queue.submit([bytes(size)]));
  const first = await queue.receive(1);
  const second = await queue.receive(1);
  await answer(second);
  await queue.redeliver();
  const again = await queue.receive(MIB);
  assert.deepEqual(
    again.map((item) => entriesIn(item.entries)[0]?.length),
    [1, 3],
  );
  assert.equal(again[0]?.id, first[0]?.id);
  // The old delivery may still be answered; the new one then finds nobody waiting.
  await answer(first);
  await answer(again);
  assert.deepEqual(
    (await Promise.all(outcomes)).map((receipt) => receipt.outcomes[0]),
    [1, 0, 3].map((index) => ({ index, duplicate: false })),
  );
});

test('an entry submitted after a delivery is another item, with its own answer (DEDUP-5)', async () => {
  const queue = open();
  const first = queue.submitOne(bytes(1));
  const delivered = await queue.receive(MIB);
  const second = queue.submitOne(bytes(1));
  const outcome: EntryOutcome = { refused: 'this round failed' };
  const failed = assert.rejects(first, { message: 'this round failed' });
  await queue.answer(delivered.map((item) => ({ item, receipt: { outcomes: [outcome], treeSize: 0 } })));
  await failed;
  await log(queue).answer(await queue.receive(MIB));
  assert.deepEqual(await second, { index: 0, duplicate: false });
});

test('a receipt without an outcome for every entry is refused, and nobody is settled by it', async () => {
  const queue = open();
  const { answer } = log(queue);
  const waiter = queue.submit([bytes(1), bytes(2)]);
  const [item] = await queue.receive(MIB);
  assert.ok(item);
  const short = { outcomes: [{ index: 0, duplicate: false }], treeSize: 1 };
  await assert.rejects(queue.answer([{ item, receipt: short }]), (error) => isSteleError(error, 'malformed'));
  await answer([item]);
  assert.equal((await waiter).outcomes.length, 2);
});

test('a submission wakes the sequencer without any timer, an abort does too', async () => {
  const clock = new ManualClock();
  const queue = open({}, clock);
  const never = new AbortController();
  const woken = queue.wait(never.signal);
  const outcome = queue.submitOne(bytes(1));
  await woken;
  await queue.wait(never.signal);
  await log(queue).answer(await queue.receive(MIB));
  await outcome;
  const aborted = queue.wait(never.signal);
  never.abort();
  await aborted;
  assert.deepEqual(clock.asked, []);
});

test('every waiter is settled exactly once whatever the order of calls (LOAD-3)', async () => {
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('submit' as const), entries: fc.nat({ max: 3 }) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('receive' as const, 'answer' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('redeliver' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
      const queue = open({ maxEntries: 20 });
      const { answer } = log(queue);
      const waiters: Promise<unknown>[] = [];
      let taken = 0;
      let outstanding: QueueItem[] = [];
      for (const command of commands) {
        if (command.kind === 'submit') {
          const entries = new Array<Uint8Array>(command.entries).fill(bytes(1));
          const promise = entries.length === 0 ? queue.submitOne(bytes(1)) : queue.submit(entries);
          const size = Math.max(1, entries.length);
          waiters.push(promise.then(() => (taken += size)).catch((error) => assert.ok(error instanceof BusyError)));
        }
        if (command.kind === 'receive') outstanding.push(...(await queue.receive(3)));
        if (command.kind === 'answer') await answer(outstanding.splice(0, 2));
        if (command.kind === 'redeliver') {
          await queue.redeliver();
          outstanding = [];
        }
      }
      await queue.redeliver();
      const rest = await queue.receive(MIB);
      await answer(rest);
      await Promise.all(waiters);
      assert.deepEqual(await queue.receive(MIB), []);
      // Nothing is counted that is no longer there: a full queue fits again.
      const full = queue.submit(new Array<Uint8Array>(20).fill(bytes(1)));
      await answer(await queue.receive(MIB));
      await full;
    }),
    { numRuns: 200 },
  );
});

test('100,000 single entries submitted at once are all answered', async () => {
  const queue = open();
  const { answer } = log(queue);
  const entry = bytes(32);
  const outcomes = Array.from({ length: 100_000 }, () => queue.submitOne(entry));
  for (let items = await queue.receive(MIB); items.length > 0; items = await queue.receive(MIB)) await answer(items);
  const indices = new Set((await Promise.all(outcomes)).map((outcome) => 'index' in outcome && outcome.index));
  assert.equal(indices.size, 100_000);
});
