import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { isSteleError } from '../../src/errors.ts';
import {
  createSpool,
  openSpool,
  openSpoolSubmitter,
  readReceipt,
  SPOOL_POLL_MS,
  submitToSpool,
} from '../../src/queue/index.ts';
import { queueContract } from './contract.ts';
import { ManualClock } from './manual-clock.ts';
import { answersFor, entriesOf, MIB, receiveAll, text } from './queue-fixture.ts';
import { namesIn, spoolFor, spoolPath } from './spool-fixture.ts';

const forever = new AbortController().signal;

queueContract({
  name: 'spool',
  pollMs: SPOOL_POLL_MS,
  async make(t) {
    const dir = await spoolPath(t);
    const { new: folder } = await createSpool(dir);
    return {
      open: (clock) => spoolFor(t, dir, clock),
      openSubmitter: async () => openSpoolSubmitter(dir),
      waiting: () => namesIn(dir, 'new'),
      async snapshot() {
        const names = await namesIn(dir, 'new');
        const files = await Promise.all(names.map((name) => readFile(join(folder, name))));
        return async () => {
          for (const [i, name] of names.entries()) await writeFile(join(folder, name), files[i] ?? '');
        };
      },
    };
  },
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
