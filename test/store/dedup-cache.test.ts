import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { DedupCache } from '../../src/store/index.ts';

const folder = await mkdtemp(join(tmpdir(), 'stele-dedup-'));
after(() => rm(folder, { recursive: true }));
let files = 0;
const fresh = (): string => join(folder, 'deep', `${files++}.sqlite`);

const LOG = new Uint8Array(16).fill(1);
const leaf = (i: number): Uint8Array => createHash('sha256').update(`leaf ${i}`).digest();
const leaves = (from: number, to: number): Uint8Array =>
  Buffer.concat(Array.from({ length: to - from }, (_, k) => leaf(from + k)));

/** A closed cache that covers `count` entries. */
async function filled(count: number): Promise<string> {
  const path = fresh();
  const cache = DedupCache.open(path, LOG);
  await cache.add(0, leaves(0, count));
  cache.close();
  return path;
}

test('what was added is found, over any number of slices, now and after opening again', async () => {
  const path = fresh();
  const cache = DedupCache.open(path, LOG);
  assert.equal(cache.covered, 0);
  await cache.add(0, leaves(0, 2_500));
  await cache.add(2_000, leaves(2_000, 3_100)); // overlapping what is known
  assert.equal(cache.covered, 3_100);
  for (const reopened of [cache, DedupCache.open(path, LOG)]) {
    for (const i of [0, 1, 999, 1_000, 2_499, 2_500, 3_099]) assert.equal(reopened.find(leaf(i)), i);
    assert.equal(reopened.find(leaf(3_100)), undefined);
    assert.equal(await reopened.check(), true);
    reopened.close();
  }
});

test('DEDUP-9: entries that share half of their hash, or all but one bit, are apart', async () => {
  const cache = DedupCache.open(fresh(), LOG);
  const one = new Uint8Array(32).fill(7);
  const half = one.slice().fill(8, 16);
  const bit = one.slice();
  bit[31] = 6;
  await cache.add(0, Buffer.concat([one, half, bit]));
  assert.deepEqual(
    [one, half, bit].map((hash) => cache.find(hash)),
    [0, 1, 2],
  );
  cache.close();
});

test('of equal entries the first counts, the others beside it are stored, and the sum still holds (DEDUP-8)', async () => {
  const cache = DedupCache.open(fresh(), LOG);
  await cache.add(0, Buffer.concat([leaf(0), leaf(1), leaf(0)]));
  assert.equal(cache.find(leaf(0)), 0);
  assert.equal(cache.covered, 3);
  assert.equal(await cache.check(), true);
  cache.close();
});

test('a cache of another log is made anew', async () => {
  const path = await filled(10);
  const other = DedupCache.open(path, new Uint8Array(16).fill(2));
  assert.equal(other.covered, 0);
  assert.equal(other.find(leaf(3)), undefined);
  other.close();
});

test('CORRUPT-10: a file that is no database, is empty or cut short is made anew', async () => {
  const whole = await readFile(await filled(3_000));
  for (const bytes of [randomBytes(8_192), new Uint8Array(), whole.subarray(0, 100), whole.subarray(0, 5_000)]) {
    const path = fresh();
    DedupCache.open(path, LOG).close(); // makes the folder
    await writeFile(path, bytes);
    const cache = DedupCache.open(path, LOG);
    // Cut behind its first page it opens, and tells when it is read.
    if (cache.covered > 0) assert.equal(await cache.check(), false);
    assert.equal(cache.covered, 0);
    await cache.add(0, leaves(0, 5));
    assert.equal(cache.find(leaf(4)), 4);
    cache.close();
  }
});

test('CORRUPT-10: a row that was flipped, lost, moved or forged is found by the check, and all is forgotten', async () => {
  const { DatabaseSync } = await import('node:sqlite');
  const harms: ((db: InstanceType<typeof DatabaseSync>) => void)[] = [
    (db) => db.prepare('DELETE FROM entry WHERE leaf = ?').run(leaf(7)),
    (db) => db.prepare('UPDATE entry SET place = 8 WHERE leaf = ?').run(leaf(7)),
    (db) => db.prepare('INSERT INTO entry VALUES (?, 3)').run(leaf(4_711)),
    (db) => {
      const flipped = leaf(7);
      flipped[20] = (flipped[20] ?? 0) ^ 4;
      db.prepare('UPDATE entry SET leaf = ? WHERE leaf = ?').run(flipped, leaf(7));
    },
    (db) => {
      db.prepare('UPDATE entry SET place = -1 WHERE place = 1').run();
      db.prepare('UPDATE entry SET place = 1 WHERE place = 2').run();
      db.prepare('UPDATE entry SET place = 2 WHERE place = -1').run();
    },
  ];
  for (const harm of harms) {
    const path = await filled(1_500);
    const db = new DatabaseSync(path);
    harm(db);
    db.close();
    const cache = DedupCache.open(path, LOG);
    assert.equal(cache.covered, 1_500);
    assert.equal(await cache.check(), false, String(harm));
    assert.equal(cache.covered, 0);
    assert.equal(cache.find(leaf(9)), undefined);
    cache.close();
  }
});

test('CORRUPT-10: how much is covered cannot change unseen', async () => {
  const { DatabaseSync } = await import('node:sqlite');
  const path = await filled(100);
  const db = new DatabaseSync(path);
  db.prepare('UPDATE about SET covered = 200').run();
  db.close();
  const cache = DedupCache.open(path, LOG);
  assert.equal(cache.covered, 0);
  cache.close();
});

test('a bit that flips anywhere in the file is found, or changes nothing', async () => {
  const path = await filled(1_200);
  const whole = await readFile(path);
  for (let k = 0; k < 60; k++) {
    const at = Math.floor((k * whole.length) / 60) + (k % 7);
    const harmed = Buffer.from(whole);
    harmed[at] = (harmed[at] ?? 0) ^ (1 << (k % 8));
    await writeFile(path, harmed);
    const cache = DedupCache.open(path, LOG);
    if (cache.covered > 0 && (await cache.check())) {
      assert.equal(cache.covered, 1_200, `byte ${at}`);
      for (let i = 0; i < 1_200; i += 13) assert.equal(cache.find(leaf(i)), i, `byte ${at}`);
    }
    cache.close();
  }
});

test('two processes of one machine that share the file learn it once', async () => {
  const path = fresh();
  const [one, other] = [DedupCache.open(path, LOG), DedupCache.open(path, LOG)];
  await Promise.all([one.add(0, leaves(0, 4_000)), other.add(0, leaves(0, 4_000))]);
  for (const cache of [one, other]) {
    assert.equal(cache.covered, 4_000);
    assert.equal(cache.find(leaf(3_999)), 3_999);
    assert.equal(await cache.check(), true);
  }
  one.close();
  other.close();
});

test('a check beside additions compares what was there when it began', async () => {
  const cache = DedupCache.open(await filled(3_000), LOG);
  const [good] = await Promise.all([cache.check(), cache.add(3_000, leaves(3_000, 6_000))]);
  assert.equal(good, true);
  assert.equal(cache.covered, 6_000);
  cache.close();
});

test('a place where no file can be is named', () => {
  assert.throws(() => DedupCache.open('/dev/null/cache.sqlite', LOG), {
    code: 'config',
    message: /\/dev\/null\/cache/,
  });
});

test('sequencers that open a new cache at the same moment all get it, and it stays theirs', async () => {
  const OPENERS = 6;
  const opener = `
    import { workerData, parentPort } from 'node:worker_threads';
    import { DedupCache } from ${JSON.stringify(new URL('../../src/store/dedup-cache.ts', import.meta.url).href)};
    const { gate, paths } = workerData;
    for (const [round, path] of paths.entries()) {
      Atomics.add(gate, round, 1);
      while (Atomics.load(gate, round) < ${OPENERS}) {} // so that they come together
      const cache = DedupCache.open(path, new Uint8Array(16).fill(1));
      await cache.add(0, new Uint8Array(32).fill(1));
      if (cache.find(new Uint8Array(32).fill(1)) !== 0) throw new Error('it does not know what it was taught');
      cache.close();
    }
    parentPort.postMessage('done');
  `;
  const paths = Array.from({ length: 20 }, (_, i) => join(folder, `together-${i}`, 'dedup.sqlite'));
  const gate = new Int32Array(new SharedArrayBuffer(4 * paths.length));
  const url = new URL(`data:text/javascript,${encodeURIComponent(opener)}`);
  const workers = Array.from({ length: OPENERS }, () => new Worker(url, { workerData: { gate, paths } }));
  try {
    await Promise.all(workers.map((worker) => once(worker, 'message')));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  for (const path of paths) assert.equal(DedupCache.open(path, LOG).covered, 1, path);
});
