/** The library on a real directory. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { createLog, generateKey, isSteleError, type Log, type LogOptions, openLog } from 'stele';
import { fsck } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { openReadableStore } from '../../src/store/index.ts';

const { skey, vkey } = generateKey('log.example/library', randomBytes(32));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function place(t: test.TestContext): Promise<LogOptions> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-library-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = (name: string): string => pathToFileURL(join(folder, name)).href;
  return { publicStore: url('public'), privateStore: url('private'), key: skey };
}

async function check(options: LogOptions): Promise<number> {
  const report = await fsck(openReadableStore(String(options.publicStore)), parseVerifierKey(vkey));
  assert.deepEqual(report.problems, []);
  return report.size;
}

test('what is appended is published when its promise resolves, and there for the next process', async (t) => {
  const options = await place(t);
  const log = await createLog(options);
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => log.append(utf8(`entry ${i}`))));
  assert.deepEqual(
    answers.map(({ index }) => index),
    Array.from({ length: 1_000 }, (_, i) => i),
  );
  assert.equal(log.published.size, 1_000);
  assert.equal(await check(options), 1_000);
  await log.close();

  const again = await openLog(options);
  assert.deepEqual(await again.append(utf8('entry 7')), { index: 7, duplicate: true });
  assert.deepEqual(await again.appendAll([utf8('new'), utf8('new')]), [
    { index: 1_000, duplicate: false },
    { index: 1_000, duplicate: true },
  ]);
  await again.close();
  assert.equal(await check(options), 1_001);
});

test('a second writer of the directory is told who holds it, and gets in when the first has closed', async (t) => {
  const options = await place(t);
  const log = await createLog(options);
  await assert.rejects(
    openLog(options),
    (error) => isSteleError(error, 'locked') && error.message.includes(String(process.pid)),
  );
  await log.close();
  await (await openLog(options)).close();
});

test('opening where there is no log, or with another key, says so and makes nothing', async (t) => {
  const options = await place(t);
  await assert.rejects(openLog(options), (error) => isSteleError(error, 'config'));
  await (await createLog(options)).close();
  const other = generateKey('log.example/other', randomBytes(32));
  await assert.rejects(openLog({ ...options, key: other.skey }), (error) => isSteleError(error, 'config'));
  const sameName = generateKey('log.example/library', randomBytes(32));
  await assert.rejects(openLog({ ...options, key: sameName.skey }), (error) => isSteleError(error, 'refused'));
});

test('an entry too large is refused before anything is queued, and the others go on (LIMIT-1)', async (t) => {
  const options = await place(t);
  const log = await createLog(options);
  await assert.rejects(log.append(new Uint8Array(65_536)), (error) => isSteleError(error, 'limit'));
  assert.equal((await log.append(new Uint8Array(65_535))).index, 0);
  assert.equal((await log.append(new Uint8Array())).index, 1);
  await log.close();
});

test('a full queue says busy and when to come again; what it accepted is published (LOAD-1)', async (t) => {
  const options = {
    ...(await place(t)),
    settings: { maxUnpublishedEntries: 100, dedupWindow: 1_000, publishIntervalMs: 50 },
  };
  const log = await createLog(options);
  const answers = await Promise.allSettled(Array.from({ length: 500 }, (_, i) => log.append(utf8(`${i}`))));
  const refused = answers.filter((answer) => answer.status === 'rejected');
  assert.ok(refused.length > 0, 'some were refused');
  for (const { reason } of refused) assert.ok(isSteleError(reason, 'busy'));
  await log.close();
  assert.equal(await check(options), 500 - refused.length);
});

test('closing with entries on their way publishes and answers them all (LOAD-3)', async (t) => {
  const options = await place(t);
  const log = await createLog(options);
  const answers = Array.from({ length: 300 }, (_, i) => log.append(utf8(`${i}`)));
  const [report, settled] = await Promise.all([log.close(), Promise.all(answers)]);
  assert.deepEqual(
    settled.map(({ index }) => index),
    answers.map((_, i) => i),
  );
  assert.equal(report.size, await check(options));
  await assert.rejects(log.append(utf8('after')), (error) => isSteleError(error, 'aborted'));
});

test('two logs in one process are independent: one that fails leaves the other serving (CRASH-8)', async (t) => {
  const [one, two] = [await place(t), await place(t)];
  const settings = { maxAttempts: 2, drainDeadlineMs: 2_000 };
  const logs: Log[] = [await createLog({ ...one, settings }), await createLog(two)];
  const [first, second] = logs;
  assert.ok(first && second);
  await rm(new URL(String(one.privateStore)), { recursive: true });
  await rm(new URL(String(one.publicStore)), { recursive: true });
  await assert.rejects(first.append(utf8('lost')), (error) => isSteleError(error));
  assert.equal((await second.append(utf8('fine'))).index, 0);
  await second.close();
  await assert.rejects(first.close());
});
