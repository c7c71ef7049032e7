import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import {
  createSpool,
  encodeSubmission,
  readReceipt,
  submissionId,
  submitToSpool,
  waitForReceipt,
} from '../../src/queue/index.ts';
import { entriesOf as entriesIn } from '../../src/tiles/index.ts';
import { ManualClock } from './manual-clock.ts';
import { answersFor, entriesOf, MIB, receiveAll, text } from './queue-fixture.ts';
import { namesIn, spoolFor, spoolPath } from './spool-fixture.ts';

const forever = new AbortController().signal;

test('entries of 0, 1 and 65,535 bytes are submitted; with one of 65,536 nothing is written (LIMIT-1)', async (t) => {
  const dir = await spoolPath(t);
  const sizes = [0, 1, 65_535];
  const tooLong = [...sizes, 65_536].map((size) => new Uint8Array(size));
  await assert.rejects(submitToSpool(dir, tooLong), (error) => isSteleError(error, 'limit'));
  assert.equal(existsSync(dir), false);
  await submitToSpool(
    dir,
    sizes.map((size) => new Uint8Array(size)),
  );
  const [item] = await (await spoolFor(t, dir)).receive(MIB);
  assert.deepEqual(item && entriesIn(item.entries).map((entry) => entry.length), sizes);
});

test('the id of an item is the SHA-256 of the bytes it is stored as', async (t) => {
  const dir = await spoolPath(t);
  const entries = [text('a'), text('b')];
  assert.deepEqual(await submitToSpool(dir, entries), [{ id: submissionId(encodeSubmission(entries)) }]);
});

test('nothing to submit is nothing submitted', async (t) => {
  const dir = await spoolPath(t);
  assert.deepEqual(await submitToSpool(dir, []), []);
  assert.equal(existsSync(dir), false);
});

test('a mistyped directory is not made into a queue that nobody reads', async (t) => {
  const dir = join(await spoolPath(t), 'of', 'another', 'log');
  await assert.rejects(submitToSpool(dir, [text('a')]), (error) => isSteleError(error, 'config'));
});

test('a spool that cannot be written to says that nothing was submitted, and works again when it can', async (t) => {
  const dir = await spoolPath(t);
  const { tmp } = await createSpool(dir);
  await submitToSpool(dir, [text('before')]);
  await rm(tmp, { recursive: true });
  await writeFile(tmp, 'in the way');
  await assert.rejects(submitToSpool(dir, [text('a')]), (error) => isSteleError(error, 'unreachable'));
  await rm(tmp);
  await submitToSpool(dir, [text('after')]);
  assert.deepEqual(entriesOf(await receiveAll(await spoolFor(t, dir))), [['before'], ['after']]);
});

test('a failed submission does not hold up the next ones', async (t) => {
  const dir = await spoolPath(t);
  const nowhere = join(dir, 'no', 'log');
  const failed = submitToSpool(nowhere, [text('a')]);
  const fine = submitToSpool(dir, [text('b')]);
  await assert.rejects(failed);
  await fine;
  assert.deepEqual(await namesIn(dir, 'tmp'), []);
});

test('whoever waits for a receipt has it as soon as it is there, without a poll', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const [submitted] = await submitToSpool(dir, [text('a'), text('b')]);
  const waiting = waitForReceipt(dir, submitted?.id ?? '', {
    timeoutMs: 60_000,
    clock: new ManualClock(),
    signal: forever,
  });
  const [answer] = answersFor(await queue.receive(MIB), 41);
  assert.ok(answer);
  await queue.answer([answer]);
  assert.deepEqual(await waiting, answer.receipt);
  const again = waitForReceipt(dir, submitted?.id ?? '', { timeoutMs: 0, clock: new ManualClock(), signal: forever });
  assert.deepEqual(await again, answer.receipt);
});

test('an id that is not one never becomes part of a path, and a receipt that is not one is refused', async (t) => {
  const dir = await spoolPath(t);
  const { done } = await createSpool(dir);
  await assert.rejects(readReceipt(dir, '../new/x'), (error) => isSteleError(error, 'malformed'));
  const id = '0'.repeat(64);
  await writeFile(join(done, id), 'stele-receipt/v1\nnonsense\n');
  await assert.rejects(readReceipt(dir, id), (error) => isSteleError(error, 'malformed') && error.message.includes(id));
});
