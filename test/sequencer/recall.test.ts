/** The dedup window and what lies before it, through the whole writer (DESIGN §5, "Acknowledged means published"). */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SteleError } from '../../src/errors.ts';
import { idBytes, readSharedDescription } from '../../src/sequencer/description.ts';
import type { OlderEntries } from '../../src/sequencer/index.ts';
import { DedupCache } from '../../src/store/index.ts';
import {
  audit,
  entriesFrom,
  faulty,
  indices,
  newLog,
  openWriter,
  type TestLog,
  utf8,
  virtualClock,
} from './harness.ts';

const folder = await mkdtemp(join(tmpdir(), 'stele-recall-'));
after(() => rm(folder, { recursive: true }));
let caches = 0;
const freshPath = (): string => join(folder, `${caches++}.sqlite`);

const WINDOW = 300;
const SETTINGS = { dedupWindow: WINDOW, maxUnpublishedEntries: WINDOW, maxBatchEntries: 256 };

async function openRecalling(log: TestLog, older: OlderEntries | undefined) {
  const troubles: string[] = [];
  const onRetry = (what: string, error: Error) => troubles.push(`${what}: ${error.message}`);
  const writer = await openWriter(log, SETTINGS, virtualClock(), { onRetry, ...(older && { older }) });
  return {
    troubles,
    remember: () => writer.sequencer.remember(),
    add: async (entries: readonly Uint8Array[]) => indices(await writer.add(entries)),
  };
}

async function logIdOf(log: TestLog): Promise<Uint8Array> {
  return idBytes(await readSharedDescription(log.publicStore, log.privateStore));
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

test('without older entries what has left the window is logged again; with them it keeps its index', async () => {
  for (const remembers of [false, true]) {
    const log = await newLog();
    const cache = DedupCache.open(freshPath(), await logIdOf(log));
    const writer = await openRecalling(log, remembers ? cache : undefined);
    for (let at = 0; at < 3_000; at += 200)
      assert.deepEqual(await writer.add(entriesFrom(at, 200)), range(at, at + 200));
    const again = await writer.add([...entriesFrom(5, 3), ...entriesFrom(3_000, 2), ...entriesFrom(2_990, 1)]);
    if (remembers) {
      assert.deepEqual(again, [5, 6, 7, 3_000, 3_001, 2_990]);
      assert.ok(cache.covered >= 1_500, `${cache.covered} are remembered`);
      const all = (await audit(log)).map((entry) => Buffer.from(entry).toString());
      assert.equal(new Set(all).size, all.length, 'no entry is in the log twice');
    } else {
      assert.deepEqual(again, [3_000, 3_001, 3_002, 3_003, 3_004, 2_990]);
    }
    assert.deepEqual(writer.troubles, []);
    cache.close();
  }
});

test('DEDUP-2, DEDUP-3, CORRUPT-10: after a restart with the cache whole, behind, deleted, or no cache at all', async () => {
  const log = await newLog();
  const path = freshPath();
  const id = await logIdOf(log);
  const whole = DedupCache.open(path, id);
  const first = await openRecalling(log, whole);
  for (let at = 0; at < 1_600; at += 200) await first.add(entriesFrom(at, 200));
  whole.close();
  const grown = await openRecalling(log, undefined); // somebody who had no cache: it is behind now
  for (let at = 1_600; at < 3_200; at += 200) await grown.add(entriesFrom(at, 200));

  for (const state of ['behind', 'whole', 'deleted', 'no cache']) {
    if (state === 'deleted') await rm(path);
    if (state === 'no cache') await writeFile(path, 'not a database at all');
    const cache = DedupCache.open(path, id);
    const writer = await openRecalling(log, cache);
    assert.ok(cache.covered >= 3_200 - 2 * WINDOW, `${state}: ${cache.covered}`);
    assert.deepEqual(await writer.add(entriesFrom(0, 3_200)), range(0, 3_200), state);
    cache.close();
  }
  assert.equal((await audit(log)).length, 3_200);
});

/** Says what it is told to say, until it is told to forget. */
class Liar implements OlderEntries {
  covered: number;
  learned: Uint8Array[] = [];
  readonly #claims: Map<string, number>;

  constructor(covered: number, claims: Map<string, number>) {
    this.covered = covered;
    this.#claims = claims;
  }

  find(leafHash: Uint8Array): number | undefined {
    const claim = this.#claims.get(Buffer.from(leafHash).toString('hex'));
    if (claim !== undefined) return claim;
    const known = this.learned.findIndex((hash) => Buffer.compare(hash, leafHash) === 0);
    return known < 0 ? undefined : known;
  }

  async add(first: number, hashes: Uint8Array): Promise<void> {
    assert.equal(first, this.covered);
    for (let at = 0; at < hashes.length; at += 32) this.learned.push(hashes.slice(at, at + 32));
    this.covered += hashes.length / 32;
  }

  forget(): void {
    this.covered = 0;
    this.learned = [];
    this.#claims.clear();
  }
}

test('CORRUPT-10: a forged answer is never given to anybody: all is learned from the log anew', async () => {
  const log = await newLog();
  const honest = await openRecalling(log, undefined);
  for (let at = 0; at < 1_400; at += 200) await honest.add(entriesFrom(at, 200));
  const leafOf = (text: string): string => createHash('sha256').update('\0').update(utf8(text)).digest('hex');
  const lies: [string, string, number][] = [
    ['an old entry at the place of another', 'leaf 3', 7],
    ['an old entry beyond the end', 'leaf 3', 5_000],
    ['an entry that was never logged', 'new', 7],
  ];
  let size = 1_400;
  for (const [what, text, index] of lies) {
    const liar = new Liar(1_200, new Map([[leafOf(text), index]]));
    const writer = await openRecalling(log, liar);
    const outcome = await writer.add([utf8(text), ...entriesFrom(9, 1)]);
    if (text === 'new') assert.deepEqual(outcome, [size++, 9], what);
    else assert.deepEqual(outcome, [3, 9], what);
    assert.equal(writer.troubles.length, 1, what);
    assert.match(writer.troubles[0] ?? '', /^asking the dedup cache: it says that an entry is at/);
    assert.ok(liar.learned.length >= 1_100, 'it was taught anew');
  }
  assert.equal((await audit(log)).length, size);
});

test('a cache that is ahead of the log is forgotten', async () => {
  const log = await newLog();
  const liar = new Liar(10_000, new Map());
  const writer = await openRecalling(log, liar);
  assert.equal(liar.covered, 0);
  assert.deepEqual(await writer.add(entriesFrom(0, 2)), [0, 1]);
});

test('a cache that cannot be written to makes the window wider, then the writer wait, until it can (FAULT-11)', async () => {
  const log = await newLog();
  const cache = DedupCache.open(freshPath(), await logIdOf(log));
  let refusals = 0;
  const older: OlderEntries = {
    get covered() {
      return cache.covered;
    },
    find: (hash) => cache.find(hash),
    add: async (first, hashes) => {
      refusals += 1;
      if (refusals <= 4) throw new SteleError('unreachable', 'no space left (planted)');
      await cache.add(first, hashes);
    },
    forget: () => cache.forget(),
  };
  const writer = await openRecalling(log, older);
  for (let at = 0; at < 2_400; at += 200) {
    await writer.add(entriesFrom(at, 200));
    assert.deepEqual(await writer.add(entriesFrom(0, 200)), range(0, 200), `at ${at} nothing is forgotten`);
  }
  assert.ok(refusals > 4 && cache.covered > 0);
  assert.deepEqual(await writer.add(entriesFrom(0, 2_400)), range(0, 2_400));
  cache.close();
});

test('what is remembered need not be read at the next start, and is known all the same', async () => {
  const log = await newLog();
  const path = freshPath();
  const id = await logIdOf(log);
  const first = DedupCache.open(path, id);
  const writer = await openRecalling(log, first);
  for (let at = 0; at < 1_200; at += 200) await writer.add(entriesFrom(at, 200));
  await writer.remember();
  assert.equal(first.covered, 1_200);
  first.close();

  const reads = async (
    older: OlderEntries | undefined,
  ): Promise<[string[], Awaited<ReturnType<typeof openRecalling>>]> => {
    const publicStore = faulty(log.publicStore, () => undefined);
    const opened = await openRecalling({ ...log, publicStore }, older);
    return [publicStore.calls.filter((call) => call.startsWith('get tile/0/')), opened];
  };
  const [without] = await reads(undefined);
  const second = DedupCache.open(path, id);
  const [withCache, next] = await reads(second);
  assert.ok(without.length > 1, 'the window is read where nothing is remembered');
  assert.deepEqual(withCache, ['get tile/0/004.p/176'], 'the edge and nothing else');
  assert.deepEqual(await next.add(entriesFrom(0, 1_201)), range(0, 1_201));
  await next.remember();
  assert.equal(second.covered, 1_201);
  second.close();
});

test('entries that are submitted again are confirmed tile by tile, not one by one', async () => {
  const log = await newLog();
  const cache = DedupCache.open(freshPath(), await logIdOf(log));
  const writer = await openRecalling(log, cache);
  for (let at = 0; at < 1_600; at += 200) await writer.add(entriesFrom(at, 200));
  await writer.remember();
  const publicStore = faulty(log.publicStore, () => undefined);
  const next = await openRecalling({ ...log, publicStore }, cache);
  publicStore.calls.length = 0;
  assert.deepEqual(await next.add(entriesFrom(0, 1_000)), range(0, 1_000));
  const reads = publicStore.calls.filter((call) => call.startsWith('get tile/0/')).length;
  // In batches of 256, each of which may begin and end within a tile.
  assert.ok(reads <= 2 * Math.ceil(1_000 / 256), `${reads} tiles were read`);
  cache.close();
});

test('a frozen log answers what lies before the window', async () => {
  const log = await newLog();
  const cache = DedupCache.open(freshPath(), await logIdOf(log));
  const writer = await openRecalling(log, cache);
  for (let at = 0; at < 1_600; at += 200) await writer.add(entriesFrom(at, 200));
  const last = await openWriter(log, SETTINGS, virtualClock(), { older: cache });
  await last.sequencer.freeze();
  const [old, late] = indices(await last.add([...entriesFrom(3, 1), utf8('too late')]));
  assert.equal(old, 3);
  assert.match(String(late), /frozen/);
  cache.close();
});
