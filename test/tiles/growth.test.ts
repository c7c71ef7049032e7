import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import {
  edgeTiles,
  growth,
  impliedTiles,
  isSuperseded,
  levelCount,
  parseTilePath,
  type Tile,
  tilePath,
  tileWidth,
} from '../../src/tiles/index.ts';
import { readJson } from './model.ts';

interface GrowthVectors {
  sequences: {
    id: string;
    sizes: number[];
    steps: {
      from: number;
      to: number;
      requiredCount: number;
      written: { path: string }[];
      supersededPartials: string[];
    }[];
  }[];
}

interface TreeVectors {
  trees: { name: string; size: number; manifest: string }[];
}

const { sequences } = readJson<GrowthVectors>('growth.json');

const paths = (tiles: Iterable<Tile>): string[] => Array.from(tiles, tilePath);
const writtenPaths = (from: number, to: number): string[] => {
  const { tiles, bundles } = growth(from, to);
  return paths([...tiles, ...bundles]);
};

/** TILES-11 in integers of any size: the tiles of level l, given only as far as n ≥ `first`. */
function bigTilesOn(level: number, size: number, first: bigint): string[] {
  const count = BigInt(size) / 256n ** BigInt(level);
  const tiles: string[] = [];
  for (let n = first; n <= count / 256n; n++) {
    const width = n < count / 256n ? 256n : count % 256n;
    if (width > 0n) tiles.push(tilePath({ level, n: Number(n), width: Number(width) }));
  }
  return tiles;
}

test('each step of growth.json writes exactly what Go found to be new at that checkpoint (TILES-11, TILES-13)', () => {
  for (const { id, steps } of sequences) {
    for (const { from, to, written, requiredCount } of steps) {
      const name = `${id}: ${from} to ${to}`;
      assert.deepEqual(writtenPaths(from, to).sort(), written.map(({ path }) => path).sort(), name);
      assert.equal(paths(impliedTiles(to)).length, requiredCount, name);
    }
  }
});

test('the partials that growth.json calls superseded are those of earlier checkpoints whose full tile exists (TILES-13)', () => {
  for (const { id, steps } of sequences) {
    const published: Tile[] = [];
    for (const { from, to, supersededPartials } of steps) {
      const { tiles, bundles } = growth(from, to);
      published.push(...tiles, ...bundles);
      const superseded = published.filter((tile) => isSuperseded(tile, to));
      assert.deepEqual(paths(superseded).sort(), supersededPartials.toSorted(), `${id}: ${from} to ${to}`);
    }
  }
});

test('a tree implies exactly the objects that the vector trees consist of (TILES-11, TILES-12)', () => {
  for (const { name, size, manifest } of readJson<TreeVectors>('trees.json').trees) {
    const { objects } = readJson<{ objects: { path: string }[] }>(manifest);
    assert.deepEqual(paths(impliedTiles(size)).sort(), objects.map(({ path }) => path).sort(), name);
  }
});

test('implied tiles come level 0 first, left to right, bundles last (TILES-11)', () => {
  assert.deepEqual(paths(impliedTiles(513)), [
    'tile/0/000',
    'tile/0/001',
    'tile/0/002.p/1',
    'tile/1/000.p/2',
    'tile/entries/000',
    'tile/entries/001',
    'tile/entries/002.p/1',
  ]);
  assert.deepEqual(paths(impliedTiles(0)), []);
});

test('a tile beyond the tree has width 0, whatever its index (TILES-11, TILES-19)', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 2 ** 53 - 1].map((n) => tileWidth(0, n, 513)),
    [256, 256, 1, 0, 0],
  );
  assert.deepEqual([tileWidth('entries', 2, 512), tileWidth(1, 0, 255), tileWidth(63, 0, 2 ** 53 - 1)], [0, 0, 0]);
});

test('an unaltered size needs nothing, a wider partial tile is a new object, an equal one is not (TILES-13)', () => {
  assert.deepEqual(writtenPaths(300, 300), []);
  assert.deepEqual(writtenPaths(300, 301), ['tile/0/001.p/45', 'tile/entries/001.p/45']);
  assert.deepEqual(writtenPaths(254, 256), ['tile/0/000', 'tile/1/000.p/1', 'tile/entries/000']);
});

test('growth is the difference of what the two sizes imply (TILES-11)', () => {
  const size = fc.oneof(fc.nat(2_000), fc.nat(140_000), fc.constantFrom(255, 256, 65_535, 65_536, 65_537, 131_072));
  fc.assert(
    fc.property(size, size, (a, b) => {
      const [from, to] = a < b ? [a, b] : [b, a];
      const before = new Set(paths(impliedTiles(from)));
      const fresh = paths(impliedTiles(to)).filter((path) => !before.has(path));
      assert.deepEqual(writtenPaths(from, to), fresh);
    }),
  );
});

test('what steps write in sum, less superseded and outgrown partials, is what the last size implies (TILES-11)', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3_000), { minLength: 1, maxLength: 12 }), (sizes) => {
      const served = new Set<string>();
      let from = 0;
      for (const to of sizes.toSorted((a, b) => a - b)) {
        for (const path of writtenPaths(from, to)) {
          assert.ok(!served.has(path), `${path} is written twice`);
          served.add(path);
        }
        from = to;
      }
      const implied = new Set(paths(impliedTiles(from)));
      for (const path of implied) assert.ok(served.has(path), path);
      for (const path of served) {
        const tile = parseTilePath(path);
        const outgrown = tile.width < tileWidth(tile.level, tile.n, from);
        assert.equal(implied.has(path), !outgrown, path);
        if (isSuperseded(tile, from)) assert.ok(outgrown);
      }
    }),
  );
});

test('the edge is the partial tile of each level that has one', () => {
  assert.deepEqual(paths(edgeTiles(0)), []);
  assert.deepEqual(paths(edgeTiles(255)), ['tile/0/000.p/255']);
  assert.deepEqual(paths(edgeTiles(256)), ['tile/1/000.p/1']);
  assert.deepEqual(paths(edgeTiles(65_536)), ['tile/2/000.p/1']);
  assert.deepEqual(paths(edgeTiles(70_000)), ['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/2/000.p/1']);
});

test('a full tile is never superseded, a partial one not before its full tile exists (TILES-13)', () => {
  assert.equal(isSuperseded({ level: 0, n: 1, width: 44 }, 511), false);
  assert.equal(isSuperseded({ level: 0, n: 1, width: 44 }, 512), true);
  assert.equal(isSuperseded({ level: 0, n: 1, width: 256 }, 512), false);
  assert.equal(isSuperseded({ level: 'entries', n: 1, width: 44 }, 512), true);
  assert.equal(isSuperseded({ level: 1, n: 0, width: 255 }, 65_535), false);
  assert.equal(isSuperseded({ level: 1, n: 0, width: 255 }, 65_536), true);
  assert.equal(isSuperseded({ level: 63, n: 2 ** 53 - 1, width: 1 }, 2 ** 53 - 1), false);
});

test('a tree of 10^12 entries has the levels, widths and edge that integer arithmetic gives it (LIMIT-3)', () => {
  const size = 10 ** 12;
  assert.equal(levelCount(size), 5);
  assert.deepEqual(paths(edgeTiles(size)), [
    'tile/1/x015/x258/789.p/16',
    'tile/2/x059/604.p/165',
    'tile/3/232.p/212',
    'tile/4/000.p/232',
  ]);
  assert.deepEqual(writtenPaths(size, size + 1), [
    'tile/0/x003/x906/x250/000.p/1',
    'tile/entries/x003/x906/x250/000.p/1',
  ]);
});

test('small growth of any tree up to 2^53-1 is what integers of any size give, in time that ignores the tree (LIMIT-3)', () => {
  const base = fc.oneof(
    fc.maxSafeNat(),
    fc
      .constantFrom(2 ** 31, 2 ** 32, 2 ** 40, 2 ** 48, 2 ** 53 - 1 - 2_000)
      .chain((size) => fc.integer({ min: size - 700, max: size + 700 })),
  );
  fc.assert(
    fc.property(base, fc.nat(2_000), (from, delta) => {
      const to = Math.min(from + delta, 2 ** 53 - 1);
      const { tiles, bundles } = growth(from, to);
      const expected: string[] = [];
      for (let level = 0; level <= 7; level++) {
        const first = BigInt(from) / 256n ** BigInt(level + 1);
        const before = new Set(bigTilesOn(level, from, first));
        expected.push(...bigTilesOn(level, to, first).filter((path) => !before.has(path)));
      }
      assert.deepEqual(paths(tiles), expected);
      assert.deepEqual(
        paths(bundles),
        expected.filter((path) => path.startsWith('tile/0/')).map((path) => path.replace('/0/', '/entries/')),
      );
    }),
    { numRuns: 500 },
  );
});

test('the largest tree ends in seven partial tiles and grows no further (LIMIT-3)', () => {
  const largest = 2 ** 53 - 1;
  assert.equal(levelCount(largest), 7);
  assert.deepEqual(
    edgeTiles(largest).map(({ level, width }) => [level, width]),
    [0, 1, 2, 3, 4, 5, 6].map((level) => [level, level < 6 ? 255 : 31]),
  );
  assert.deepEqual(writtenPaths(largest - 1, largest).length, 2);
});

test('what is not a size is refused, and so is a log that shrinks (LIMIT-3)', () => {
  const isLimit = (error: unknown): boolean => isSteleError(error, 'limit');
  for (const size of [2 ** 53, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => impliedTiles(size), isLimit);
    assert.throws(() => edgeTiles(size), isLimit);
    assert.throws(() => levelCount(size), isLimit);
    assert.throws(() => growth(0, size), isLimit);
    assert.throws(() => growth(size, 2 ** 53 - 1), isLimit);
    assert.throws(() => isSuperseded({ level: 0, n: 0, width: 1 }, size), isLimit);
  }
  assert.throws(() => growth(257, 256), isLimit);
});
