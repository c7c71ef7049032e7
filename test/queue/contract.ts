/** What every queue that outlives its processes promises (DESIGN §5, "Queue items"), whatever it is kept in. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../src/clock.ts';
import { BusyError, isSteleError } from '../../src/errors.ts';
import { encodeSubmission, type SubmissionQueue, type Submitter, submissionId } from '../../src/queue/index.ts';
import { entriesOf as entriesIn } from '../../src/tiles/index.ts';
import { ManualClock } from './manual-clock.ts';
import { answersFor, entriesOf, MIB, receiveAll, take, text } from './queue-fixture.ts';

const forever = new AbortController().signal;
const now = { timeoutMs: 0, clock: systemClock, signal: forever };

/** One queue, and what is around it. */
export interface QueueUnderTest {
  open(clock?: Clock): Promise<SubmissionQueue>;
  openSubmitter(): Promise<Submitter>;
  /** Names of what waits. */
  waiting(): Promise<string[]>;
  /** Remembers what waits; the result puts it back, as if a crash had come between the receipts and the removal. */
  snapshot(): Promise<() => Promise<void>>;
}

export interface QueueKind {
  readonly name: string;
  /** The poll interval unless told otherwise, in milliseconds. */
  readonly pollMs: number;
  /** Equal submissions within some minutes are one item, with one answer, unless that is a refusal. */
  readonly joinsEqual?: boolean;
  make(t: TestContext): Promise<QueueUnderTest>;
}

export function queueContract({ name, pollMs, joinsEqual = false, make }: QueueKind): void {
  test(`${name}: an item is delivered once, answered, and leaves with a receipt behind it`, async (t) => {
    const made = await make(t);
    const queue = await made.open();
    const submitter = await made.openSubmitter();
    const [submitted = ''] = await submitter.submit([text('a'), text(''), text('c')]);
    const items = await queue.receive(MIB);
    assert.deepEqual(entriesOf(items), [['a', '', 'c']]);
    assert.equal(items[0]?.id, submissionId(encodeSubmission([text('a'), text(''), text('c')])));
    assert.deepEqual(await take(queue), []);
    await assert.rejects(submitter.waitForReceipt(submitted, now), (error) => isSteleError(error, 'busy'));

    const [answer] = answersFor(items, 7);
    assert.ok(answer);
    await queue.answer([answer]);
    assert.deepEqual(await submitter.waitForReceipt(submitted, now), answer.receipt);
    assert.deepEqual(await made.waiting(), []);
    assert.deepEqual(await take(queue), []);
  });

  test(`${name}: items come in the order of the calls, also of calls that overlap`, async (t) => {
    const made = await make(t);
    const submitter = await made.openSubmitter();
    const entries = Array.from({ length: 40 }, (_, i) => String(i));
    // The early ones are large, so that they are written last.
    await Promise.all(entries.map((entry, i) => submitter.submit([text(entry), text('x'.repeat(60_000 - 1_500 * i))])));
    assert.deepEqual(
      entriesOf(await receiveAll(await made.open())).map(([first]) => first),
      entries,
    );
  });

  test(`${name}: more entries than an item takes become several items, in order`, async (t) => {
    const made = await make(t);
    const entries = Array.from({ length: 65_536 + 2 }, (_, i) => text(String(i)));
    assert.equal((await (await made.openSubmitter()).submit(entries)).length, 2);
    const items = await receiveAll(await made.open());
    assert.deepEqual(
      items.map((item) => item.entries.length),
      [65_536, 2],
    );
    assert.deepEqual(entriesOf(items)[1], ['65536', '65537']);
  });

  test(`${name}: with an entry of 65,536 bytes nothing is submitted, and nothing for no entries (LIMIT-1)`, async (t) => {
    const made = await make(t);
    const submitter = await made.openSubmitter();
    const sizes = [0, 1, 65_535, 65_536].map((size) => new Uint8Array(size));
    await assert.rejects(submitter.submit(sizes), (error) => isSteleError(error, 'limit'));
    assert.deepEqual(await submitter.submit([]), []);
    const queue = await made.open();
    assert.deepEqual(await made.waiting(), []);
    await submitter.submit(sizes.slice(0, 3));
    const [item] = await queue.receive(MIB);
    assert.deepEqual(item && entriesIn(item.entries).map((entry) => entry.length), [0, 1, 65_535]);
  });

  test(`${name}: receive gives about as many bytes as asked for, and one item at least`, async (t) => {
    const made = await make(t);
    const submitter = await made.openSubmitter();
    for (let i = 0; i < 4; i++) await submitter.submit([text(`${i}${'x'.repeat(1_000)}`)]);
    // Opened now, so that no news of the above ends the wait below.
    const clock = new ManualClock();
    const queue = await made.open(clock);
    assert.equal((await queue.receive(2_500)).length, 2);
    assert.equal((await queue.receive(1)).length, 1);
    await queue.wait(forever);
    assert.deepEqual(clock.asked, [], 'nobody is told to wait while there is more');
    assert.equal((await queue.receive(MIB)).length, 1);
  });

  test(`${name}: what was delivered and not answered comes again, after a redelivery and after a restart (CRASH-5)`, async (t) => {
    const made = await make(t);
    const queue = await made.open();
    const submitter = await made.openSubmitter();
    for (const entry of ['a', 'b', 'c']) await submitter.submit([text(entry)]);
    const [first, second, third] = await queue.receive(MIB);
    assert.ok(first && second && third);
    await queue.answer(answersFor([second]));
    await queue.redeliver();
    await queue.wait(forever);
    assert.deepEqual(entriesOf(await receiveAll(queue)), [['a'], ['c']]);
    await queue.close();

    const restarted = await made.open();
    const again = await receiveAll(restarted);
    assert.deepEqual(entriesOf(again), [['a'], ['c']]);
    await restarted.answer(answersFor(again));
    assert.deepEqual(await made.waiting(), []);
  });

  test(`${name}: an item that was answered and not removed, because of a crash, is answered again (FAULT-12)`, async (t) => {
    const made = await make(t);
    const submitter = await made.openSubmitter();
    const [submitted = ''] = await submitter.submit([text('a')]);
    const before = await made.open();
    const items = await before.receive(MIB);
    const undo = await made.snapshot();
    await before.answer(answersFor(items));
    await undo();

    const after = await made.open();
    const again = await after.receive(MIB);
    assert.equal(again[0]?.id, items[0]?.id);
    await after.answer(
      again.map((item) => ({ item, receipt: { outcomes: [{ index: 0, duplicate: true }], treeSize: 9 } })),
    );
    const [outcome] = (await submitter.waitForReceipt(submitted, now)).outcomes;
    assert.equal(outcome && 'index' in outcome && outcome.index, 0);
    assert.deepEqual(await made.waiting(), []);
  });

  test(`${name}: equal submissions that wait together are delivered once and answered together`, async (t) => {
    const made = await make(t);
    const queue = await made.open();
    const submitter = await made.openSubmitter();
    const names = [...(await submitter.submit([text('same')])), ...(await submitter.submit([text('same')]))];
    await submitter.submit([text('other')]);
    const items = await queue.receive(MIB);
    assert.deepEqual(entriesOf(items), [['same'], ['other']]);
    // One more while the first are on their way.
    names.push(...(await submitter.submit([text('same')])));
    assert.deepEqual(await receiveAll(queue), []);
    assert.equal((await made.waiting()).length, joinsEqual ? 2 : 4);
    await queue.answer(answersFor(items));
    assert.deepEqual(await made.waiting(), []);
    for (const each of names) {
      assert.deepEqual((await submitter.waitForReceipt(each, now)).outcomes, [{ index: 0, duplicate: false }]);
    }
  });

  test(`${name}: equal bytes submitted after the answer are delivered and answered again (DEDUP-4)`, async (t) => {
    const made = await make(t);
    const queue = await made.open();
    const submitter = await made.openSubmitter();
    const [first = ''] = await submitter.submit([text('same')]);
    await queue.answer(answersFor(await queue.receive(MIB)));
    const [second = ''] = await submitter.submit([text('same')]);
    // The first answer is still true, and there.
    assert.equal((await submitter.waitForReceipt(first, now)).treeSize, 1);
    const items = await take(queue);
    if (joinsEqual) {
      assert.deepEqual(items, []);
      assert.equal((await submitter.waitForReceipt(second, now)).treeSize, 1, 'it has the first answer');
      return;
    }
    assert.deepEqual(entriesOf(items), [['same']]);
    const receipt = { outcomes: [{ index: 0, duplicate: true }], treeSize: 5 };
    await queue.answer(items.map((item) => ({ item, receipt })));
    assert.deepEqual(await submitter.waitForReceipt(second, now), receipt);
  });

  test(`${name}: a refusal is not taken for the answer to the same bytes submitted again (DEDUP-5)`, async (t) => {
    const made = await make(t);
    const queue = await made.open();
    const submitter = await made.openSubmitter();
    const [first = ''] = await submitter.submit([text('same')]);
    const refusal = { outcomes: [{ refused: 'not now' }], treeSize: 0 };
    await queue.answer((await queue.receive(MIB)).map((item) => ({ item, receipt: refusal })));
    assert.deepEqual(await submitter.waitForReceipt(first, now), refusal);
    const [second = ''] = await submitter.submit([text('same')]);
    await assert.rejects(submitter.waitForReceipt(second, now), (error) => isSteleError(error, 'busy'));
    await queue.answer(answersFor(await take(queue)));
    assert.equal((await submitter.waitForReceipt(second, now)).treeSize, 1);
  });

  test(`${name}: a receipt without an outcome for every entry is refused, and the item stays`, async (t) => {
    const made = await make(t);
    const queue = await made.open();
    await (await made.openSubmitter()).submit([text('a'), text('b')]);
    const [item] = await queue.receive(MIB);
    assert.ok(item);
    const short = { outcomes: [{ index: 0, duplicate: false }], treeSize: 1 };
    await assert.rejects(queue.answer([{ item, receipt: short }]), (error) => isSteleError(error, 'malformed'));
    assert.equal((await made.waiting()).length, 1);
    await queue.answer(answersFor([item]));
    assert.deepEqual(await made.waiting(), []);
  });

  test(`${name}: without news the wait ends with the poll interval, with an abort, or when the queue is closed`, async (t) => {
    const made = await make(t);
    const clock = new ManualClock();
    const queue = await made.open(clock);
    await queue.receive(MIB);
    const polled = queue.wait(forever);
    assert.deepEqual(clock.asked, [pollMs]);
    clock.advance(pollMs);
    await polled;
    await queue.receive(MIB);
    const stop = new AbortController();
    const aborted = queue.wait(stop.signal);
    stop.abort();
    await aborted;
    await queue.close();
    await queue.wait(forever);
  });

  test(`${name}: waiting for a receipt ends as busy after the given time, as aborted on abort`, async (t) => {
    const made = await make(t);
    const submitter = await made.openSubmitter();
    const [submitted = ''] = await submitter.submit([text('a')]);
    const clock = new ManualClock();
    const tooLong = submitter.waitForReceipt(submitted, { timeoutMs: 60_000, clock, signal: forever });
    const stop = new AbortController();
    const aborted = submitter.waitForReceipt(submitted, { timeoutMs: 120_000, clock, signal: stop.signal });
    const ends = [
      assert.rejects(tooLong, (error) => error instanceof BusyError && /stays in the queue/.test(error.message)),
      assert.rejects(aborted, (error) => isSteleError(error, 'aborted')),
    ];
    clock.advance(60_000);
    await ends[0];
    stop.abort();
    await ends[1];
    assert.equal((await made.waiting()).length, 1);
  });
}
