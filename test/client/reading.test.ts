import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LogReader, type ReaderOptions } from '../../src/client/index.ts';
import { bundleParts } from '../../src/client/log-reader.ts';
import { ReadAheadDepth } from '../../src/client/read-ahead.ts';
import { type ErrorCode, SteleError } from '../../src/errors.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { absent, flip, leaves, TestLog, testClock, vectorStore, vectors, verifier } from './test-log.ts';

const log = new TestLog(leaves(70_000));

/** Patient, on a clock where waiting takes no time. */
function readerOf(store: TestLog['store'], options: ReaderOptions = {}): LogReader {
  return new LogReader(store, verifier, { clock: testClock(), random: () => 0, ...options });
}

async function logOf(size: number) {
  const small = new TestLog(log.entries.slice(0, size));
  return { log: small, store: small.store, checkpoint: await small.publish(size), reader: readerOf(small.store) };
}

function failure(code: ErrorCode, ...words: string[]) {
  return (error: unknown) => {
    assert.ok(error instanceof SteleError, String(error));
    assert.equal(error.code, code, error.message);
    for (const word of words) assert.ok(error.message.includes(word), `${word} is not in: ${error.message}`);
    return true;
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

test('every entry of the vector logs is read back, lengths 0 to 65,535 included (TILES-15)', async () => {
  const { trees } = JSON.parse(readFileSync(join(vectors, 'trees.json'), 'utf8'));
  const rules: Record<string, (i: number) => Uint8Array> = {
    'tree-1': (i) => Buffer.from(`leaf ${i}`),
    'tree-256': (i) => Buffer.from(`leaf ${i}`),
    'tree-700-varied': (i) =>
      Uint8Array.from({ length: i === 511 ? 65_535 : (31 * i * i + 7 * i) % 97 }, (_, j) => i + 3 * j),
  };
  for (const tree of trees) {
    const rule = rules[tree.name];
    if (!rule) continue;
    const reader = new LogReader(vectorStore(tree.folder), parseVerifierKey(tree.logKey.vkey));
    const checkpoint = await reader.checkpoint();
    assert.equal(checkpoint.size, tree.size);
    const entries = await collect(reader.entries(0, checkpoint.size, checkpoint));
    assert.equal(entries.length, tree.size);
    for (const { index, entry } of entries) assert.deepEqual(Buffer.from(entry), Buffer.from(rule(index)));
  }
});

test('a partial tile or bundle that is gone is cut from the full one and verified (READ-1, TILES-14)', async () => {
  const { log, store, reader } = await logOf(300);
  const old = await log.sign(200);
  store.damaged.set('tile/0/000.p/200', absent);
  store.damaged.set('tile/entries/000.p/200', absent);
  const entries = await collect(reader.entries(0, 200, old));
  assert.equal(entries.length, 200);
  await assert.rejects(reader.entry(200, old), failure('not-found', '200'));

  const other = readerOf(store);
  store.damaged.set('tile/0/000', flip(199 * 32));
  await assert.rejects(other.entry(0, old), failure('corrupt', 'tile/0/000.p/200'));
  store.damaged.delete('tile/0/000');
  store.damaged.set('tile/entries/000', flip(2));
  await assert.rejects(other.entry(7, old), failure('corrupt', 'tile/entries/000', 'entry 0 '));
});

test('a body truncated at any byte is an error, or asked for again, and never kept (READ-2)', async () => {
  const { store, checkpoint, reader } = await logOf(5);
  const objects: [string, ErrorCode[]][] = [
    ['checkpoint', ['malformed', 'unverified', 'invalid-proof']],
    ['tile/0/000.p/5', ['corrupt']],
    ['tile/entries/000.p/5', ['corrupt']],
  ];
  for (const [key, codes] of objects) {
    const whole = store.object(key) ?? assert.fail(key);
    for (let length = 0; length < whole.length; length++) {
      const fresh = readerOf(store);
      store.damaged.set(key, (bytes) => bytes?.subarray(0, length));
      const read = async (by: LogReader) => by.entry(4, await by.checkpoint());
      await assert.rejects(read(fresh), (error) => error instanceof SteleError && codes.includes(error.code));
      store.damaged.delete(key);
      assert.deepEqual(Buffer.from(await read(fresh)), Buffer.from('leaf 4'));
    }
    let torn = 0;
    store.damaged.set(key, (bytes) => (torn++ === 0 ? bytes?.subarray(0, 9) : bytes));
    assert.deepEqual(Buffer.from(await readerOf(store).entry(4, checkpoint)), Buffer.from('leaf 4'));
    store.damaged.clear();
  }
  assert.equal(Buffer.from(await reader.entry(0, checkpoint)).toString(), 'leaf 0');
});

test('a wrong full tile is not kept: the next read asks the store again (READ-2)', async () => {
  const { store, checkpoint, reader } = await logOf(700);
  store.damaged.set('tile/0/001', flip(0));
  await assert.rejects(reader.inclusionProof(300, checkpoint), failure('corrupt', 'tile/0/001'));
  store.damaged.clear();
  store.reset();
  await reader.inclusionProof(300, checkpoint);
  await reader.inclusionProof(301, checkpoint);
  assert.deepEqual(store.requests, ['tile/0/001']);
});

test('a body above the bound of its kind is refused, and the bound reaches the store (READ-4)', async () => {
  const { store, checkpoint } = await logOf(300);
  const longer = (length: number) => () => new Uint8Array(length);
  const bounds: [string, number, ErrorCode][] = [
    ['tile/0/000', 8_192, 'corrupt'],
    ['tile/0/001.p/44', 44 * 32, 'corrupt'],
    ['tile/entries/000', 256 * 65_537, 'corrupt'],
    ['tile/entries/001.p/44', 44 * 65_537, 'corrupt'],
    ['checkpoint', 2 ** 20, 'malformed'],
  ];
  for (const [key, bound, code] of bounds) {
    store.damaged.set(key, longer(bound + 1));
    const read = async (by: LogReader) => by.entry(key.includes('001') ? 256 : 0, await by.checkpoint());
    await assert.rejects(read(readerOf(store)), failure(code, key, `${bound} bytes`));
    store.damaged.clear();
  }
  const careless = { url: 'test://careless', get: (key: string) => store.get(key) };
  store.damaged.set('checkpoint', longer(2 ** 20 + 1));
  await assert.rejects(
    new LogReader(careless, verifier, { retry: { attempts: 1, firstDelayMs: 0, maxDelayMs: 0 } }).checkpoint(),
    failure('malformed', 'checkpoint'),
  );
  assert.equal(checkpoint.size, 300);
});

test('one flipped hash on any level, or one flipped entry, is refused by name (READ-5)', async () => {
  const checkpoint = await log.publish(70_000);
  const cases: [string, number, number, string[]][] = [
    ['tile/0/000', 8_191, 3, ['entries 0 to 255']],
    ['tile/0/255', 0, 65_535, ['entries 65280 to 65535']],
    ['tile/0/273.p/112', 0, 69_999, []],
    ['tile/1/000', 40, 3, ['entries 0 to 65535']],
    ['tile/1/001.p/17', 0, 65_536, []],
    ['tile/2/000.p/1', 31, 3, []],
    ['tile/entries/001', 2, 256, ['entry 256 ']],
    ['tile/entries/273.p/112', 112 * 12 - 1, 69_999, ['entry 69999 ']],
  ];
  for (const [key, at, index, words] of cases) {
    log.store.damaged.set(key, flip(at));
    await assert.rejects(readerOf(log.store).entry(index, checkpoint), failure('corrupt', key, ...words));
    log.store.damaged.clear();
  }
});

test('retries are bounded, wait longer each time or as long as asked, and are spread at random (READ-6)', async () => {
  const { store, checkpoint } = await logOf(300);
  const retry = { attempts: 4, firstDelayMs: 100, maxDelayMs: 300 };
  const down = () => {
    throw new SteleError('unreachable', 'answered 503');
  };
  for (const [damage, code] of [
    [down, 'unreachable'],
    [absent, 'not-found'],
  ] as const) {
    const clock = testClock();
    store.reset();
    store.damaged.set('tile/entries/000', damage);
    await assert.rejects(readerOf(store, { retry, clock }).entry(0, checkpoint), failure(code));
    assert.deepEqual(clock.waits, [100, 200, 300]);
    assert.equal(store.requests.filter((key) => key === 'tile/entries/000').length, 4);
  }
  const asked = testClock();
  let waitMs = 0;
  store.damaged.set('tile/entries/000', () => {
    waitMs = waitMs === 0 ? 7_000 : 3_600_000;
    throw Object.assign(new SteleError('unreachable', 'answered 429'), { retryAfterMs: waitMs });
  });
  await assert.rejects(readerOf(store, { retry, clock: asked }).entry(0, checkpoint), failure('unreachable'));
  assert.deepEqual(asked.waits, [7_000, 30_000, 30_000]);

  store.damaged.set('tile/entries/000', absent);
  const hurried = testClock();
  await assert.rejects(readerOf(store, { retry, clock: hurried, random: () => 0.999 }).entry(0, checkpoint));
  assert.deepEqual(hurried.waits.map(Math.round), [50, 100, 150]);
});

test('a 404 that a CDN cached, a 503 and a page of HTML pass when the object comes in time (READ-6)', async () => {
  const { store, checkpoint } = await logOf(300);
  store.damaged.set('tile/1/000.p/1', (bytes, request) => (request < 5 ? undefined : bytes));
  store.damaged.set('tile/entries/000', (bytes, request) => {
    if (request < 4) throw new SteleError('unreachable', 'answered 503');
    return bytes;
  });
  store.damaged.set('tile/0/000', (bytes, request) => (request === 1 ? Buffer.from('<html>busy</html>') : bytes));
  assert.deepEqual(Buffer.from(await readerOf(store).entry(3, checkpoint)), Buffer.from('leaf 3'));

  store.reset();
  store.damaged.set('tile/0/000', () => Buffer.from('<html>busy</html>'));
  await assert.rejects(readerOf(store).entry(3, checkpoint), failure('corrupt', 'tile/0/000'));
  assert.equal(store.requests.filter((key) => key === 'tile/0/000').length, 2, 'wrong bodies are asked for once more');
});

test('what the checkpoint implies is waited for until a CDN has forgotten a 404 that it kept for ten seconds (READ-6)', async () => {
  const { log, store, checkpoint } = await logOf(300);
  const total = (waits: readonly number[]): number => waits.reduce((sum, ms) => sum + ms, 0);
  for (const random of [() => 0, () => 0.999]) {
    const clock = testClock();
    store.damaged.set('tile/entries/000', (bytes) => (total(clock.waits) < 10_000 ? undefined : bytes));
    const entry = await readerOf(store, { clock, random }).entry(3, checkpoint);
    assert.deepEqual(Buffer.from(entry), Buffer.from('leaf 3'));
  }

  const clock = testClock();
  const reader = readerOf(store, { clock });
  const waitedFor = async (index: number): Promise<number> => {
    const before = total(clock.waits);
    await assert.rejects(reader.entry(index, checkpoint), failure('not-found'));
    return total(clock.waits) - before;
  };
  store.damaged.set('tile/entries/000', absent);
  store.damaged.set('tile/entries/001.p/44', absent);
  const [first, next] = [await waitedFor(0), await waitedFor(299)];
  assert.ok(first >= 15_000 && first < 18_000, `${first} ms`);
  assert.equal(next, 3_000, 'once is enough for one checkpoint');
  await log.publish(300);
  await reader.checkpoint();
  assert.ok((await waitedFor(299)) >= 15_000, 'a checkpoint that was read anew may be newer than a 404');

  // Nothing implies a checkpoint.
  store.damaged.set('checkpoint', absent);
  const before = total(clock.waits);
  await assert.rejects(reader.checkpoint(), failure('not-found'));
  assert.equal(total(clock.waits) - before, 3_000);
});

test('an error that is not ours is thrown at once', async () => {
  const { store, checkpoint, reader } = await logOf(3);
  store.damaged.set('tile/0/000.p/3', () => {
    throw new TypeError('a bug');
  });
  await assert.rejects(reader.entry(0, checkpoint), TypeError);
  assert.equal(store.requests.filter((key) => key === 'tile/0/000.p/3').length, 1);
});

test('every start and end from 0 to 1,024 is cut into the bundles that hold it (READ-9)', () => {
  for (let start = 0; start <= 1_024; start++) {
    for (let end = start; end <= 1_024; end++) {
      let at = start;
      for (const part of bundleParts(start, end)) {
        if (part.n * 256 + part.start !== at || part.end > 256 || part.end <= part.start)
          assert.fail(`${start} to ${end}`);
        at = part.n * 256 + part.end;
      }
      if (at !== end) assert.fail(`${start} to ${end} ends at ${at}`);
    }
  }
});

test('every start and every end of a range reads that slice (READ-9)', async () => {
  const { store, checkpoint, reader } = await logOf(1_100);
  const expectSlice = async (start: number, end: number) => {
    const read = await collect(reader.entries(start, end, checkpoint));
    assert.deepEqual(
      read.map(({ index }) => index),
      Array.from({ length: end - start }, (_, i) => start + i),
    );
    for (const { index, entry } of read) assert.equal(Buffer.from(entry).toString(), `leaf ${index}`);
  };
  for (let offset = 0; offset < 1_024; offset++) {
    // Every offset as a start and as an end, against the other end at a distance of every residue.
    await expectSlice(offset, Math.min(1_100, offset + (offset % 258)));
    await expectSlice(Math.max(0, offset - ((7 * offset) % 258)), offset);
  }
  for (const start of [0, 1, 255, 256, 257, 1_023]) await expectSlice(start, 1_100);
  assert.ok(store.mostInFlight > 1);
});

test('ranges and indices beyond the checkpoint are not in the log (LIMIT-3)', async () => {
  const { checkpoint, reader } = await logOf(10);
  for (const index of [10, -1, 0.5, Number.NaN, 2 ** 53]) {
    await assert.rejects(reader.entry(index, checkpoint), failure('not-found'));
    await assert.rejects(reader.inclusionProof(index, checkpoint), failure('not-found'));
  }
  for (const [start, end] of [
    [0, 11],
    [5, 4],
    [-1, 2],
    [0, 2 ** 53],
  ] as const) {
    await assert.rejects(collect(reader.entries(start, end, checkpoint)), failure('not-found'));
  }
  assert.deepEqual(await collect(reader.entries(10, 10, checkpoint)), []);
});

test('reading ahead is bounded, stops with its reader, and an error comes at its place', async () => {
  const checkpoint = await log.publish(70_000);
  const store = log.store;
  const reader = readerOf(store, { bundlesAhead: 6 });
  store.reset();
  let seen = 0;
  for await (const { index } of reader.entries(0, 20_000, checkpoint)) seen = index;
  assert.equal(seen, 19_999);
  assert.ok(store.mostInFlight > 6 && store.mostInFlight <= 2 * 6 + 2, `${store.mostInFlight} requests in flight`);

  store.reset();
  for await (const { index } of reader.entries(40_000, 70_000, checkpoint)) if (index === 40_100) break;
  const afterBreak = store.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(store.requests.length, afterBreak);
  assert.ok(afterBreak < 40, `${afterBreak} requests`);

  store.damaged.set('tile/entries/003', absent);
  const read: number[] = [];
  const reading = async () => {
    for await (const { index } of reader.entries(0, 2_000, checkpoint)) read.push(index);
  };
  await assert.rejects(reading(), failure('not-found', 'tile/entries/003'));
  assert.equal(read.length, 768);
  store.damaged.clear();
});

test('what is read ahead stays within 64 MiB of the longest bundle seen (LOAD-5)', () => {
  const depth = new ReadAheadDepth(16);
  const reads: number[] = [depth.reads];
  for (const mebibytes of [1 / 256, 4, 8, 16, 8, 100]) {
    depth.seen(mebibytes * 2 ** 20);
    reads.push(depth.reads);
  }
  assert.deepEqual(reads, [4, 16, 16, 8, 4, 4, 1]);
});

test('no more full tiles are kept than asked for, and the least used goes first', async () => {
  const checkpoint = await log.publish(70_000);
  const reader = readerOf(log.store, { cachedTiles: 3 });
  const tilesAskedFor = async (index: number) => {
    log.store.reset();
    await reader.entry(index, checkpoint);
    return log.store.requests.filter((key) => key.startsWith('tile/0/') && !key.includes('.p/'));
  };
  // One of the three is tile/1/000, which each of these needs.
  assert.deepEqual(await tilesAskedFor(0), ['tile/0/000']);
  assert.deepEqual(await tilesAskedFor(256), ['tile/0/001']);
  assert.deepEqual(await tilesAskedFor(1), []);
  assert.deepEqual(await tilesAskedFor(512), ['tile/0/002']);
  assert.deepEqual(await tilesAskedFor(2), []);
  assert.deepEqual(await tilesAskedFor(257), ['tile/0/001']);
});

test('many who ask for one tile at a time cause one request', async () => {
  const checkpoint = await log.publish(70_000);
  const reader = readerOf(log.store);
  log.store.reset();
  await Promise.all(Array.from({ length: 50 }, (_, i) => reader.inclusionProof(i, checkpoint)));
  assert.deepEqual(log.store.requests.length, new Set(log.store.requests).size);
});

test('a tile proven under one checkpoint proves nothing under a forked one', async () => {
  const { log, store, checkpoint, reader } = await logOf(700);
  await reader.inclusionProof(5, checkpoint);
  const fork = log.forkAt(3);
  const forked = await fork.publish(700);
  store.object = (key) => fork.object(key);
  assert.equal(Buffer.from(await reader.entry(5, forked)).toString(), 'other 2');
  store.object = (key) => log.object(key);
  assert.equal(Buffer.from(await reader.entry(5, checkpoint)).toString(), 'leaf 5');

  // Nor does one that is being read for the other: both right edges are known, then both ask for tile/0/000 at once.
  const fresh = readerOf(store);
  await fresh.rootAt(600, checkpoint);
  store.object = (key) => fork.object(key);
  await fresh.rootAt(600, forked);
  const both = await Promise.allSettled([fresh.inclusionProof(5, forked), fresh.inclusionProof(5, checkpoint)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
});

test('an aborted reader stops between retries and between bundles', async () => {
  const { store, checkpoint } = await logOf(1_000);
  const controller = new AbortController();
  const clock = testClock(() => controller.abort());
  const reader = readerOf(store, { clock, signal: controller.signal });
  store.damaged.set('tile/entries/002', absent);
  await assert.rejects(reader.entry(600, checkpoint), failure('aborted'));
  assert.equal(clock.waits.length, 1);
  await assert.rejects(reader.entry(0, checkpoint), failure('aborted'));
});

test('the empty log has a checkpoint, no entries and no objects', async () => {
  const { store, checkpoint, reader } = await logOf(0);
  assert.equal((await reader.checkpoint()).size, 0);
  assert.deepEqual(await collect(reader.entries(0, 0, checkpoint)), []);
  assert.deepEqual(store.requests, ['checkpoint']);
});
