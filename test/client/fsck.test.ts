import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type BundleRange,
  checkRange,
  ForkError,
  type FsckOptions,
  type FsckProgress,
  fsck,
} from '../../src/client/index.ts';
import { SteleError } from '../../src/errors.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { impliedTiles, tilePath } from '../../src/tiles/index.ts';
import {
  absent,
  type Damage,
  flip,
  leaves,
  TestLog,
  type TestStore,
  testClock,
  vectorStore,
  vectors,
  verifier,
} from './test-log.ts';

const small = new TestLog(leaves(1_000));
const smallCheckpoint = await small.publish(1_000);
const large = new TestLog(leaves(70_000));
const largeCheckpoint = await large.publish(70_000);

const once = { attempts: 1, firstDelayMs: 0, maxDelayMs: 0 };

function check(store: TestStore, options: FsckOptions = {}) {
  return fsck(store, verifier, { retry: once, ...options });
}

const truncated: Damage = (bytes) => bytes?.subarray(0, bytes.length - 1);

const kinds: Record<string, Damage> = {
  'first byte flipped': flip(0),
  'last byte flipped': (bytes) => bytes && flip(bytes.length - 1)(bytes, 1),
  missing: absent,
  truncated,
  'cut by a hash': (bytes) => bytes?.subarray(0, bytes.length - 32),
  extended: (bytes) => bytes && Buffer.concat([bytes, Buffer.alloc(32)]),
  empty: () => new Uint8Array(),
};

test('fsck accepts the vector logs, and says what it read', async () => {
  const { trees } = JSON.parse(readFileSync(join(vectors, 'trees.json'), 'utf8'));
  for (const { folder, objectsIn, logKey, size, root, origin } of trees) {
    const store = vectorStore(folder);
    const { object } = store;
    // Of the largest only the checkpoint is given; its entries are those of `large`.
    if (objectsIn === 'manifest') store.object = (key) => object(key) ?? large.object(key);
    const report = await fsck(store, parseVerifierKey(logKey.vkey));
    assert.deepEqual(
      { ...report, root: Buffer.from(report.root).toString('base64') },
      {
        origin,
        size,
        root,
        entries: size,
        bytes: report.bytes,
        problemCount: 0,
        problems: [],
      },
    );
    assert.ok(report.bytes > 2 * size);
  }
});

test('fsck accepts logs of every shape: 0 to 3 entries, whole tiles, and one more or less', async () => {
  for (const size of [0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 1_000]) {
    await small.publish(size);
    const report = await check(small.store);
    assert.deepEqual([report.size, report.entries, report.problems], [size, size, []]);
  }
  await small.publish(1_000);
  for (const size of [65_535, 65_536, 65_537, 65_792, 70_000]) {
    await large.publish(size);
    const report = await check(large.store);
    assert.deepEqual([report.size, report.entries, report.problems], [size, size, []]);
  }
});

test('fsck asks once for each object that the size implies, and for nothing else', async () => {
  for (const [log, size] of [
    [small, 1_000],
    [large, 70_000],
  ] as const) {
    log.store.reset();
    await check(log.store);
    // The last level-0 tile is needed to prove the edge and again beside its bundle.
    const implied = ['checkpoint', ...Array.from(impliedTiles(size), tilePath)].sort();
    assert.deepEqual([...new Set(log.store.requests)].sort(), implied);
    assert.ok(log.store.requests.length <= implied.length + 1);
    assert.ok(log.store.mostInFlight <= 33, `${log.store.mostInFlight} requests in flight`);
  }
});

test('any single object of a log of 1,000 entries that is damaged in any way is listed, and nothing else (CORRUPT-11)', async () => {
  for (const key of Array.from(impliedTiles(1_000), tilePath)) {
    for (const [kind, damage] of Object.entries(kinds)) {
      small.store.damaged.set(key, damage);
      const report = await check(small.store);
      assert.deepEqual(
        report.problems.map((each) => each.key),
        [key],
        `${key} ${kind}: ${JSON.stringify(report.problems)}`,
      );
      assert.equal(report.problems[0]?.kind, kind === 'missing' ? 'missing' : 'corrupt');
      assert.equal(report.problemCount, 1);
      small.store.damaged.clear();
    }
  }
});

test('a flip at any byte of any object is listed, with the entry or hash that it hit (CORRUPT-11)', async () => {
  const keys = Array.from(impliedTiles(1_000), tilePath);
  const position = fc
    .constantFrom(...keys)
    .chain((key) => fc.nat({ max: (small.object(key)?.length ?? 0) - 1 }).map((at) => ({ key, at })));
  await fc.assert(
    fc.asyncProperty(position, async ({ key, at }) => {
      small.store.damaged.set(key, flip(at));
      const { problems } = await check(small.store);
      small.store.damaged.clear();
      assert.deepEqual(
        problems.map((each) => each.key),
        [key],
      );
      const place = Math.floor(at / 32);
      if (key.startsWith('tile/entries/')) assert.match(problems[0]?.problem ?? '', /entry \d+ |entries/);
      else if (key.includes('/0/')) assert.match(problems[0]?.problem ?? '', new RegExp(`hash ${place} `));
    }),
    { numRuns: 60 },
  );
});

test('any single damaged object of a log with three levels is listed, and nothing else (CORRUPT-11)', async () => {
  const keys = [
    'tile/2/000.p/1',
    'tile/1/000',
    'tile/1/001.p/17',
    'tile/0/000',
    'tile/0/255',
    'tile/0/256',
    'tile/0/272',
    'tile/0/273.p/112',
    'tile/entries/000',
    'tile/entries/130',
    'tile/entries/255',
    'tile/entries/256',
    'tile/entries/273.p/112',
  ];
  for (const [i, key] of keys.entries()) {
    const chosen = Object.entries(kinds).filter((_, k) => i < 3 || k === i % 7 || k === (i + 3) % 7);
    for (const [kind, damage] of chosen) {
      large.store.damaged.set(key, damage);
      const report = await check(large.store);
      assert.deepEqual(
        report.problems.map((each) => each.key),
        [key],
        `${key} ${kind}: ${JSON.stringify(report.problems)}`,
      );
      large.store.damaged.clear();
    }
  }
});

test('of any number of damaged objects none is left out, and a good one is at most unproven (VEC-3)', async () => {
  const keys = Array.from(impliedTiles(1_000), tilePath);
  const damages = fc.uniqueArray(
    fc.record({ key: fc.constantFrom(...keys), at: fc.nat(), kind: fc.constantFrom('flipped', ...Object.keys(kinds)) }),
    { selector: ({ key }) => key, minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(damages, async (all) => {
      for (const { key, at, kind } of all) {
        small.store.damaged.set(key, kinds[kind] ?? ((bytes) => flip(at % (bytes?.length ?? 1))(bytes, 1)));
      }
      const { problems, problemCount } = await check(small.store);
      small.store.damaged.clear();
      const listed = new Set(problems.map(({ key }) => key));
      const damaged = new Set(all.map(({ key }) => key));
      assert.deepEqual(
        [...damaged].filter((key) => !listed.has(key)),
        [],
        'damaged, but not listed',
      );
      const blamed = problems.filter(({ kind }) => kind !== 'unproven').map(({ key }) => key);
      assert.deepEqual(
        blamed.filter((key) => !damaged.has(key)),
        [],
        'listed as bad, but good',
      );
      assert.equal(listed.size, problemCount, 'listed once each');
    }),
    { numRuns: 300 },
  );
});

test('the same holds where tiles of three levels are damaged together (VEC-3)', async () => {
  const cases = [
    ['tile/1/000', 'tile/2/000.p/1'],
    ['tile/1/000', 'tile/0/007', 'tile/entries/009'],
    ['tile/2/000.p/1', 'tile/entries/130', 'tile/0/130'],
    ['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/entries/000'],
  ];
  for (const keys of cases) {
    for (const [, damage] of Object.entries(kinds).slice(1, 4)) {
      for (const key of keys) large.store.damaged.set(key, damage);
      const { problems } = await check(large.store);
      large.store.damaged.clear();
      const listed = problems.map(({ key }) => key);
      for (const key of keys) assert.ok(listed.includes(key), `${key} is not among ${listed}`);
      for (const { key, kind } of problems) assert.ok(kind === 'unproven' || keys.includes(key), key);
    }
  }
});

test('a bundle and its tile that were forged to agree are both listed', async () => {
  const forged = small.forkAt(300);
  await forged.publish(1_000);
  for (const key of ['tile/0/001', 'tile/entries/001']) small.store.damaged.set(key, () => forged.object(key));
  const { problems } = await check(small.store);
  small.store.damaged.clear();
  assert.deepEqual(problems.map(({ key }) => key).sort(), ['tile/0/001', 'tile/entries/001']);
});

test('a signed root that the entries do not make is listed as the checkpoint (CORRUPT-2)', async () => {
  small.serve(1_000, await small.sign(1_000, small.root(999)));
  const { problems } = await check(small.store);
  small.serve(1_000, smallCheckpoint);
  assert.deepEqual(
    problems.map(({ key }) => key),
    ['checkpoint'],
  );
});

test('objects that were torn once, or hidden by a cached 404, are not problems (READ-6)', async () => {
  for (const key of Array.from(impliedTiles(1_000), tilePath)) {
    for (const damage of [absent, flip(5), truncated]) {
      small.store.reset();
      small.store.damaged.set(key, (bytes, request) => (request === 1 ? damage(bytes, 1) : bytes));
      const { problems } = await fsck(small.store, verifier, { clock: testClock() });
      assert.deepEqual(problems, [], key);
      small.store.damaged.clear();
    }
  }
});

test('a checkpoint without a known signature is refused, not listed', async () => {
  const damage: Damage = (bytes) => bytes && Buffer.from(Buffer.from(bytes).toString().replace('\n1000\n', '\n999\n'));
  small.store.damaged.set('checkpoint', damage);
  await assert.rejects(check(small.store), { code: 'invalid-proof' });
  small.store.damaged.set('checkpoint', absent);
  await assert.rejects(check(small.store), { code: 'not-found' });
  small.store.damaged.clear();
});

test('fsck of an empty store, and of one that lost everything but its checkpoint, ends', async () => {
  const { object } = large.store;
  large.store.object = (key) => (key === 'checkpoint' ? object(key) : undefined);
  const report = await check(large.store, { maxProblems: 10 });
  large.store.object = object;
  assert.equal(report.problemCount, 551);
  assert.equal(report.problems.length, 10);
  assert.deepEqual([report.entries, report.bytes], [0, 0]);
});

test('a store that goes down ends fsck with unreachable, one bad object does not', async () => {
  const down: Damage = () => {
    throw new SteleError('unreachable', 'EIO');
  };
  large.store.damaged.set('tile/entries/040', down);
  const { problems } = await check(large.store);
  assert.deepEqual(
    problems.map(({ key, kind }) => [key, kind]),
    [['tile/entries/040', 'unreachable']],
  );
  for (let n = 40; n < 256; n++) large.store.damaged.set(`tile/entries/${String(n).padStart(3, '0')}`, down);
  await assert.rejects(check(large.store), { code: 'unreachable' });
  large.store.damaged.clear();
});

test('fsck stops when its caller gives up', async () => {
  const controller = new AbortController();
  large.store.damaged.set('tile/entries/100', (bytes) => {
    controller.abort();
    return bytes;
  });
  large.store.reset();
  await assert.rejects(check(large.store, { signal: controller.signal }), { code: 'aborted' });
  assert.ok(large.store.requests.length < 300);
  large.store.damaged.clear();
});

test('ranges can be checked elsewhere, several at a time: plain data goes in and comes out', async () => {
  const progress: FsckProgress[] = [];
  const ranges: BundleRange[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  const elsewhere = async (range: BundleRange) => {
    ranges.push(range);
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    const checked = await checkRange(large.store, structuredClone(range), { retry: once });
    underWay -= 1;
    return structuredClone(checked);
  };
  large.store.damaged.set('tile/entries/256', flip(9));
  const report = await check(large.store, {
    checkRange: elsewhere,
    rangesInFlight: 2,
    onProgress: (each) => progress.push(each),
  });
  large.store.damaged.clear();
  assert.deepEqual(
    ranges.map(({ firstBundle, endBundle, proven }) => [firstBundle, endBundle, proven]),
    [
      [0, 256, true],
      [256, 273, true],
    ],
  );
  assert.equal(mostUnderWay, 2);
  assert.deepEqual(
    report.problems.map(({ key }) => key),
    ['tile/entries/256'],
  );
  assert.deepEqual(
    progress.map(({ entries }) => entries),
    [65_536, 69_888, 70_000],
  );
  assert.equal(progress.at(-1)?.problemCount, 1);
});

test('a known checkpoint must be extended', async () => {
  assert.equal((await check(small.store, { known: await small.sign(600) })).problemCount, 0);
  const forked = await small.forkAt(400).sign(600);
  await assert.rejects(check(small.store, { known: forked }), (error) => error instanceof ForkError);

  await small.publish(600);
  const { problems } = await check(small.store, { known: smallCheckpoint });
  assert.deepEqual(
    problems.map(({ key }) => key),
    ['checkpoint'],
  );
  assert.match(problems[0]?.problem ?? '', /size 600 .* size 1000/);
  await small.publish(1_000);
  assert.equal(largeCheckpoint.size, 70_000);
});
