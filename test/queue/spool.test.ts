import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { isSteleError } from '../../src/errors.ts';
import { openSpool, readReceipt, submitToSpool } from '../../src/queue/index.ts';
import { ManualClock } from './manual-clock.ts';
import { answersFor, entriesOf, MIB, namesIn, receiveAll, spoolFor, spoolPath, text } from './spool-fixture.ts';

const forever = new AbortController().signal;

test('an item is delivered once, answered, and leaves with a receipt behind it', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const [submitted] = await submitToSpool(dir, [text('a'), text(''), text('c')]);
  assert.ok(submitted);
  const items = await queue.receive(MIB);
  assert.deepEqual(entriesOf(items), [['a', '', 'c']]);
  assert.equal(items[0]?.id, submitted.id);
  assert.deepEqual(await queue.receive(MIB), []);
  assert.equal(await readReceipt(dir, submitted.id), undefined);

  const [answer] = answersFor(items, 7);
  assert.ok(answer);
  await queue.answer([answer]);
  assert.deepEqual(await readReceipt(dir, submitted.id), answer.receipt);
  assert.deepEqual(await namesIn(dir, 'new'), []);
  assert.deepEqual(await namesIn(dir, 'tmp'), []);
  assert.deepEqual(await queue.receive(MIB), []);
});

test('items come in the order of the calls, also of calls that overlap', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const entries = Array.from({ length: 40 }, (_, i) => String(i));
  // The early ones are large, so that they are written last.
  await Promise.all(entries.map((entry, i) => submitToSpool(dir, [text(entry), text('x'.repeat(60_000 - 1_500 * i))])));
  assert.deepEqual(
    entriesOf(await receiveAll(queue)).map(([first]) => first),
    entries,
  );
});

test('receive gives about as many bytes as asked for, and one item at least', async (t) => {
  const dir = await spoolPath(t);
  for (let i = 0; i < 4; i++) await submitToSpool(dir, [text(`${i}${'x'.repeat(1_000)}`)]);
  // Opened now, so that no news of the above ends the wait below.
  const clock = new ManualClock();
  const queue = await spoolFor(t, dir, clock);
  assert.equal((await queue.receive(2_500)).length, 2);
  assert.equal((await queue.receive(1)).length, 1);
  await queue.wait(forever);
  assert.deepEqual(clock.asked, [], 'nobody is told to wait while there is more');
  assert.equal((await queue.receive(MIB)).length, 1);
});

test('what has been looked at is no news any more: an idle queue sleeps', async (t) => {
  const dir = await spoolPath(t);
  const clock = new ManualClock();
  const queue = await spoolFor(t, dir, clock);
  await submitToSpool(dir, [text('a')]);
  await queue.answer(answersFor(await receiveAll(queue)));
  // The system may still have news of the removal to tell; it must run out of them.
  const stop = new AbortController();
  for (let looks = 0; clock.asked.length === 0; looks++) {
    assert.ok(looks < 1_000, 'the queue never sleeps');
    await receiveAll(queue);
    const waiting = queue.wait(stop.signal);
    if (clock.asked.length > 0) stop.abort();
    await waiting;
    await systemClock.sleep(1);
  }
});

test('what was delivered and not answered comes again, after a redelivery and after a restart (CRASH-5)', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  for (const entry of ['a', 'b', 'c']) await submitToSpool(dir, [text(entry)]);
  const [first, second, third] = await queue.receive(MIB);
  assert.ok(first && second && third);
  await queue.answer(answersFor([second]));
  await queue.redeliver();
  await queue.wait(forever);
  assert.deepEqual(entriesOf(await receiveAll(queue)), [['a'], ['c']]);
  await queue.close();

  const restarted = await spoolFor(t, dir);
  const again = await receiveAll(restarted);
  assert.deepEqual(entriesOf(again), [['a'], ['c']]);
  await restarted.answer(answersFor(again));
  assert.deepEqual(await namesIn(dir, 'new'), []);
});

test('an item stays until its receipt is left, and can be answered again when that failed (FAULT-12)', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  await submitToSpool(dir, [text('a')]);
  await submitToSpool(dir, [text('b')]);
  const items = await queue.receive(MIB);
  const obstacle = join(dir, 'done', items[1]?.id ?? '');
  await mkdir(obstacle);
  await assert.rejects(queue.answer(answersFor(items)), (error) => isSteleError(error, 'unreachable'));
  assert.equal((await namesIn(dir, 'new')).length, 2);
  assert.deepEqual(await queue.receive(MIB), []);
  await rm(obstacle, { recursive: true });
  await queue.answer(answersFor(items));
  assert.deepEqual(await namesIn(dir, 'new'), []);
  assert.equal((await readReceipt(dir, items[1]?.id ?? ''))?.treeSize, 2);
});

test('an answer kept by the disk but not known to be is given again after a restart (FAULT-12)', async (t) => {
  const dir = await spoolPath(t);
  const [submitted] = await submitToSpool(dir, [text('a')]);
  const before = await spoolFor(t, dir);
  const items = await before.receive(MIB);
  const [name = ''] = await namesIn(dir, 'new');
  const bytes = await readFile(join(dir, 'new', name));
  await before.answer(answersFor(items));
  // As if the power had gone between the receipt and the removal.
  await writeFile(join(dir, 'new', name), bytes);

  const after = await spoolFor(t, dir);
  const again = await after.receive(MIB);
  assert.equal(again[0]?.id, submitted?.id);
  const receipt = { outcomes: [{ index: 0, duplicate: true }], treeSize: 9 };
  await after.answer(again.map((item) => ({ item, receipt })));
  assert.deepEqual(await readReceipt(dir, submitted?.id ?? ''), receipt);
});

test('equal submissions that wait together are delivered once and answered together', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  await submitToSpool(dir, [text('same')]);
  await submitToSpool(dir, [text('same')]);
  await submitToSpool(dir, [text('other')]);
  const items = await queue.receive(MIB);
  assert.deepEqual(entriesOf(items), [['same'], ['other']]);
  // One more while the first are on their way.
  await submitToSpool(dir, [text('same')]);
  assert.deepEqual(await queue.receive(MIB), []);
  assert.equal((await namesIn(dir, 'new')).length, 4);
  await queue.answer(answersFor(items));
  assert.deepEqual(await namesIn(dir, 'new'), []);
});

test('equal bytes submitted after the answer are delivered and answered again (DEDUP-4)', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const [first] = await submitToSpool(dir, [text('same')]);
  await queue.answer(answersFor(await queue.receive(MIB)));
  const [second] = await submitToSpool(dir, [text('same')]);
  assert.equal(second?.id, first?.id);
  // The first answer is still true, and there.
  assert.equal((await readReceipt(dir, first?.id ?? ''))?.treeSize, 1);
  const items = await queue.receive(MIB);
  assert.deepEqual(entriesOf(items), [['same']]);
  const receipt = { outcomes: [{ index: 0, duplicate: true }], treeSize: 5 };
  await queue.answer(items.map((item) => ({ item, receipt })));
  assert.deepEqual(await readReceipt(dir, first?.id ?? ''), receipt);
});

test('a refusal is not taken for the answer to the same bytes submitted again (DEDUP-5)', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const [first] = await submitToSpool(dir, [text('same')]);
  const refusal = { outcomes: [{ refused: 'not now' }], treeSize: 0 };
  await queue.answer((await queue.receive(MIB)).map((item) => ({ item, receipt: refusal })));
  assert.deepEqual(await readReceipt(dir, first?.id ?? ''), refusal);
  await submitToSpool(dir, [text('same')]);
  assert.equal(await readReceipt(dir, first?.id ?? ''), undefined);
  await queue.answer(answersFor(await queue.receive(MIB)));
  assert.equal((await readReceipt(dir, first?.id ?? ''))?.treeSize, 1);
});

test('a submission wakes the sequencer although the next poll is an hour away', async (t) => {
  const dir = await spoolPath(t);
  const clock = new ManualClock();
  const queue = await openSpool(dir, { clock, pollMs: 3_600_000 });
  t.after(() => queue.close());
  for (const entry of ['a', 'b', 'c']) {
    while ((await queue.receive(MIB)).length > 0);
    const woken = queue.wait(forever);
    await submitToSpool(dir, [text(entry)]);
    // The clock stands still: nothing but the file can end this.
    await woken;
    assert.deepEqual(entriesOf(await queue.receive(MIB)), [[entry]]);
  }
});

test('a submission between the last look and the wait is not slept over', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir, new ManualClock());
  assert.deepEqual(await queue.receive(MIB), []);
  await submitToSpool(dir, [text('a')]);
  await queue.wait(forever);
  assert.deepEqual(entriesOf(await queue.receive(MIB)), [['a']]);
});

test('without news the wait ends with the poll interval, one second unless told otherwise, or with an abort', async (t) => {
  const dir = await spoolPath(t);
  const clock = new ManualClock();
  const queue = await spoolFor(t, dir, clock);
  await queue.receive(MIB);
  const polled = queue.wait(forever);
  assert.deepEqual(clock.asked, [1_000]);
  clock.advance(1_000);
  await polled;
  await queue.receive(MIB);
  const stop = new AbortController();
  const aborted = queue.wait(stop.signal);
  stop.abort();
  await aborted;
  await queue.close();
  await queue.wait(forever);
});

test('receipts and temporary files are swept when they are an hour old, and not before', async (t) => {
  const dir = await spoolPath(t);
  const [submitted] = await submitToSpool(dir, [text('a')]);
  const id = submitted?.id ?? '';
  const now = await spoolFor(t, dir);
  await now.answer(answersFor(await now.receive(MIB)));
  await writeFile(join(dir, 'tmp', 'left-behind'), 'x');
  const openAndClose = async (clock: ManualClock): Promise<void> => {
    const queue = await openSpool(dir, { clock });
    await queue.receive(MIB);
    await queue.close();
  };
  await openAndClose(new ManualClock(Date.now() + 3_540_000));
  assert.equal((await readReceipt(dir, id))?.treeSize, 1);
  assert.deepEqual(await namesIn(dir, 'tmp'), ['left-behind']);
  await openAndClose(new ManualClock(Date.now() + 3_660_000));
  assert.equal(await readReceipt(dir, id), undefined);
  assert.deepEqual(await namesIn(dir, 'tmp'), []);
});

test('a receipt without an outcome for every entry is refused, and the item stays', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  await submitToSpool(dir, [text('a'), text('b')]);
  const [item] = await queue.receive(MIB);
  assert.ok(item);
  const short = { outcomes: [{ index: 0, duplicate: false }], treeSize: 1 };
  await assert.rejects(queue.answer([{ item, receipt: short }]), (error) => isSteleError(error, 'malformed'));
  assert.equal((await namesIn(dir, 'new')).length, 1);
  await queue.answer(answersFor([item]));
});
