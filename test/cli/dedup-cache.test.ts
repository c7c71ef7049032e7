/** Resubmission beyond the window, as an operator has it: a file beside stele.yaml that may be deleted at any time. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startS3Stub } from '../store/s3-stub/index.ts';
import { stele, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();
const SMALL = ['--dedup.window', '200', '--maxUnpublished.entries', '200'];
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('');

async function ok(args: readonly string[], input = ''): Promise<string> {
  const { status, stdout, stderr } = await stele(args, { input });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('what left the window long ago keeps its index: with the cache, without it, and with rubbish in its place', async () => {
  const dir = join(folder, 'log');
  const cache = join(dir, 'cache', 'dedup.sqlite');
  const add = async (from: number, to: number): Promise<{ size: number; duplicates: number }> => {
    await ok(['add', '-C', dir, '--lines', '-'], lines(from, to));
    return JSON.parse(await ok(['sequence', '-C', dir, '--once', '--json', ...SMALL]));
  };
  await ok(['init', dir, '--origin', 'log.example/dedup']);
  assert.equal((await add(0, 1_500)).size, 1_500);
  assert.deepEqual(await add(0, 10), { size: 1_500, appended: 0, duplicates: 10, refused: 0 });
  assert.ok(existsSync(cache));

  await rm(join(dir, 'cache'), { recursive: true });
  assert.equal((await add(10, 20)).duplicates, 10);
  await writeFile(cache, 'rubbish');
  assert.equal((await add(20, 30)).duplicates, 10);
  await rm(`${cache}-wal`, { force: true });
  await rm(cache);
  assert.equal(await ok(['rebuild-cache', '-C', dir]), '1500 entries\n');
  assert.deepEqual(JSON.parse(await ok(['rebuild-cache', '-C', dir, '--json'])), { entries: 1_500 });
  assert.equal((await add(30, 1_500)).duplicates, 1_470);

  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(cache);
  db.exec('DELETE FROM entry WHERE place % 2 = 0');
  db.close();
  await rm(join(dir, 'cache', 'checked.json')); // as after a day
  await ok(['add', '-C', dir, '--lines', '-'], lines(0, 100));
  const damaged = await stele(['sequence', '-C', dir, '--once', '--json', ...SMALL]);
  assert.match(damaged.stderr, /the dedup cache was damaged/);
  assert.equal(JSON.parse(damaged.stdout).duplicates, 100);

  const off = await ok(['add', '-C', dir, '--lines', '-'], lines(0, 2)).then(() =>
    ok(['sequence', '-C', dir, '--once', '--json', ...SMALL, '--dedup.cache', 'off']),
  );
  assert.deepEqual(JSON.parse(off), { size: 1_502, appended: 2, duplicates: 0, refused: 0 });
  await ok(['fsck', dir]);
});

test('dedup.cache is on or off, and off there is nothing to rebuild', async () => {
  const dir = join(folder, 'off');
  await ok(['init', dir, '--origin', 'log.example/off']);
  const odd = await stele(['sequence', '-C', dir, '--once', '--dedup.cache', 'maybe']);
  assert.equal(odd.status, 2);
  assert.match(odd.stderr, /dedup\.cache: expected on or off/);
  const yaml = join(dir, 'stele.yaml');
  await writeFile(yaml, `${await readFile(yaml, 'utf8')}dedup:\n  cache: off\n`);
  const none = await stele(['rebuild-cache', '-C', dir]);
  assert.equal(none.status, 2);
  assert.match(none.stderr, /dedup\.cache is off/);
  await ok(['sequence', '-C', dir, '--once']);
  assert.equal(existsSync(join(dir, 'cache')), false);
});

test('a bucket is probed once a day by one machine, init being the first time', async (t) => {
  const stub = await startS3Stub();
  t.after(() => stub.close());
  const dir = join(folder, 'bucket');
  const stores = ['--public-store', stub.storeUrl('cron/public'), '--private-store', stub.storeUrl('cron-private/log')];
  const env = { MINIO_ACCESS_KEY: 'stub', MINIO_SECRET_KEY: 'stub-secret' };
  const run = async (args: readonly string[]): Promise<void> => {
    const { status, stderr } = await stele(args, { env });
    assert.equal(status, 0, stderr);
  };
  await run(['init', dir, '--origin', 'log.example/cron', ...stores]);
  const path = join(dir, 'cache', 'checked.json');
  const isProbed = async (): Promise<boolean> => {
    stub.reset();
    await run(['sequence', '-C', dir, '--once']);
    return stub.asked.some(({ key }) => key.includes('probe/'));
  };
  assert.equal(await isProbed(), false);
  await writeFile(path, 'rubbish');
  assert.equal(await isProbed(), true, 'what cannot be read is not believed');
  assert.equal(await isProbed(), false);
  const times = JSON.parse(await readFile(path, 'utf8')) as Record<string, number>;
  const shifted = (hours: number): string =>
    JSON.stringify(Object.fromEntries(Object.entries(times).map(([what, time]) => [what, time + hours * 3_600_000])));
  await writeFile(path, shifted(-25));
  assert.equal(await isProbed(), true, 'a day later');
  await writeFile(path, shifted(1));
  assert.equal(await isProbed(), true, 'a time that is still to come is no time');
});
