import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { edgeTiles, growth, impliedTiles, type Tile, TileEdge, tilePath } from '../../src/tiles/index.ts';
import { concat, hex, leafEntry, leafHash, NaiveTree, nodeHash, readJson, sha256, toBase64 } from './model.ts';

/** Leaves of the vectors' rule, enough for two level-1 tiles and the start of a third. */
const LEAVES = 2 * 65_536 + 300;
const leaves = Array.from({ length: LEAVES }, (_, i) => leafHash(leafEntry(i)));
const packed = concat(leaves);
const tree = new NaiveTree([leaves]);

const leavesBetween = (start: number, end: number): Uint8Array => packed.subarray(start * 32, end * 32);
const hashTiles = (size: number): Tile[] => [...impliedTiles(size)].filter(({ level }) => level !== 'entries');

function assertTiles(edge: TileEdge, tiles: readonly Tile[], model: NaiveTree): void {
  for (const tile of tiles) assert.equal(hex(edge.tileBytes(tile)), hex(model.tileBytes(tile)), tilePath(tile));
}

const rootVectors = readJson<{ cases: { size: number; root: string }[] }>('roots.json').cases;

test('the root from the edge tiles alone is the root that Go computes, for sizes 0-1,100 and around powers (GROW-9)', () => {
  for (const { size, root } of rootVectors) {
    const edge = TileEdge.load(size, (tile) => tree.tileBytes(tile));
    assert.equal(toBase64(edge.root()), root, `size ${size}`);
    assert.equal(edge.size, size);
    assert.equal(edge.heldFrom, size);
  }
});

test('the root after each single append, all before it released, is the root that Go computes (GROW-9)', () => {
  const edge = TileEdge.empty();
  for (const { size, root } of rootVectors.slice(0, 1_101)) {
    edge.append(leavesBetween(edge.size, size));
    assert.equal(toBase64(edge.root()), root, `size ${size}`);
    edge.release(size);
  }
});

test('level 2 is right when 65,535 entries grow past 65,536, and past twice that (GROW-4, TILES-9)', () => {
  const edge = TileEdge.empty();
  let from = 0;
  for (const to of [65_535, 65_537, LEAVES]) {
    edge.append(leavesBetween(from, to));
    const { tiles } = growth(from, to);
    assertTiles(edge, tiles, tree);
    edge.release(to);
    from = to;
  }
  assert.equal(edge.tileBytes({ level: 2, n: 0, width: 2 }).length, 64);
});

test('a partial tile is never hashed into the level above (TILES-10)', () => {
  const edge = TileEdge.empty();
  edge.append(leavesBetween(0, 511));
  assert.equal(edge.tileBytes({ level: 1, n: 0, width: 1 }).length, 32);
  assert.throws(() => edge.tileBytes({ level: 1, n: 0, width: 2 }), RangeError);
});

test('any sequence of batches leaves the tiles and the root of one batch', () => {
  const batch = fc.oneof(
    { weight: 6, arbitrary: fc.nat(700) },
    { weight: 2, arbitrary: fc.constantFrom(0, 1, 255, 256, 257, 4_096) },
    { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536, 65_537) },
  );
  fc.assert(
    fc.property(fc.array(batch, { minLength: 1, maxLength: 20 }), (batches) => {
      const edge = TileEdge.empty();
      for (const count of batches) edge.append(leavesBetween(edge.size, Math.min(edge.size + count, LEAVES)));
      const whole = TileEdge.empty();
      whole.append(leavesBetween(0, edge.size));
      assert.deepEqual(edge.root(), whole.root());
      for (const tile of hashTiles(edge.size)) {
        assert.ok(Buffer.from(edge.tileBytes(tile)).equals(whole.tileBytes(tile)), tilePath(tile));
      }
    }),
    { numRuns: 40 },
  );
});

/** Like `leaves`, but different for every seed: what is appended after a truncation is not what was there before. */
const freshLeaves = (seed: number, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) =>
    sha256(Uint8Array.from([seed % 256, Math.floor(seed / 256), i % 256, Math.floor(i / 256)])),
  );

type Step =
  | { kind: 'append'; count: number; seed: number }
  | { kind: 'truncate' | 'release' | 'publish'; part: number }
  | { kind: 'load' };

const part = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('append' as const), count: fc.nat(900), seed: fc.nat(65_535) }),
  fc.record({ kind: fc.constantFrom('truncate' as const, 'release' as const, 'publish' as const), part }),
  fc.record({ kind: fc.constant('load' as const) }),
);

const bases = [0, 1, 255, 256, 300, 65_000, 65_535, 65_536, 131_000].map((size) => {
  const model = new NaiveTree([leaves.slice(0, size)]);
  for (const tile of hashTiles(size)) model.tileBytes(tile);
  return model;
});

/** MTH over the edge: peaks of the partial tiles, from the naive tiles. */
function naiveRoot(model: NaiveTree): Uint8Array {
  const peaks = edgeTiles(model.size)
    .toReversed()
    .flatMap((tile) => peaksOf(model.tileBytes(tile)));
  return peaks.length === 0 ? sha256() : peaks.reduceRight((right, left) => nodeHash(left, right));
}

function peaksOf(hashes: Uint8Array): Uint8Array[] {
  const peaks: { span: number; hash: Uint8Array }[] = [];
  for (let at = 0; at < hashes.length; at += 32) {
    peaks.push({ span: 1, hash: hashes.subarray(at, at + 32) });
    for (let last = peaks.at(-1), left = peaks.at(-2); last && left && last.span === left.span; ) {
      peaks.splice(-2, 2, { span: 2 * last.span, hash: nodeHash(left.hash, last.hash) });
      last = peaks.at(-1);
      left = peaks.at(-2);
    }
  }
  return peaks.map(({ hash }) => hash);
}

test('append, truncate, release, publish and load in any order agree with a tree that keeps everything', () => {
  fc.assert(
    fc.property(fc.constantFrom(...bases), fc.array(step, { minLength: 1, maxLength: 25 }), (base, steps) => {
      const model = base.clone();
      let held = model.size;
      let edge = TileEdge.load(model.size, (tile) => model.tileBytes(tile));
      for (const action of steps) {
        const between = 'part' in action ? held + Math.round(action.part * (model.size - held)) : model.size;
        if (action.kind === 'append') {
          const added = freshLeaves(action.seed, action.count);
          model.append(added);
          edge.append(concat(added));
        } else if (action.kind === 'truncate') {
          model.truncate(between);
          edge.truncate(between);
        } else if (action.kind === 'publish') {
          assertTiles(edge, growth(held, between).tiles, model);
        } else if (action.kind === 'release') {
          edge.release(between);
          held = between;
        } else {
          edge = TileEdge.load(model.size, (tile) => model.tileBytes(tile));
          held = model.size;
        }
        assert.equal(edge.size, model.size);
        assert.equal(edge.heldFrom, held);
        assert.equal(hex(edge.root()), hex(naiveRoot(model)), JSON.stringify(action));
      }
      assertTiles(edge, growth(held, model.size).tiles, model);
    }),
    { numRuns: 150 },
  );
});

test('a size reached again by other entries has another root, though both were asked for', () => {
  const model = new NaiveTree();
  const edge = TileEdge.empty();
  for (const [seed, keep] of [
    [1, 0],
    [2, 0],
    [3, 100],
    [4, 512],
  ] as const) {
    const added = freshLeaves(seed, 700 - keep);
    model.truncate(keep);
    edge.truncate(keep);
    model.append(added);
    edge.append(concat(added));
    assert.equal(hex(edge.root()), hex(naiveRoot(model)));
  }
});

test('the tiles handed out stay as they are when the edge goes on', () => {
  const edge = TileEdge.empty();
  edge.append(leavesBetween(0, 600));
  const tiles = growth(0, 600).tiles.map((tile) => ({ tile, bytes: edge.tileBytes(tile) }));
  edge.truncate(100);
  for (let round = 0; round < 20; round++) {
    edge.append(concat(freshLeaves(round, 1_000)));
    edge.release(edge.size);
  }
  for (const { tile, bytes } of tiles) assert.equal(hex(bytes), hex(tree.tileBytes(tile)), tilePath(tile));
});

test('what was released, what is not yet there, and bundles are refused, and change nothing', () => {
  const edge = TileEdge.empty();
  edge.append(leavesBetween(0, 1_000));
  edge.release(700);
  for (const tile of [
    { level: 0, n: 1, width: 256 },
    { level: 0, n: 3, width: 233 },
    { level: 1, n: 0, width: 4 },
    { level: 2, n: 0, width: 1 },
    { level: 'entries', n: 2, width: 256 } as const,
  ]) {
    assert.throws(() => edge.tileBytes(tile), RangeError, tilePath(tile));
  }
  for (const size of [699, 1_001, 800.5, Number.NaN]) {
    assert.throws(() => edge.truncate(size), RangeError);
    assert.throws(() => edge.release(size), RangeError);
  }
  assert.throws(() => edge.append(new Uint8Array(33)), RangeError);
  assert.deepEqual([edge.heldFrom, edge.size], [700, 1_000]);
  assertTiles(edge, growth(700, 1_000).tiles, tree);
});

test('an edge tile of the wrong length is corrupt, and named', () => {
  for (const wrong of [0, 32 * 43, 32 * 45, 32 * 256]) {
    assert.throws(
      () => TileEdge.load(300, (tile) => (tile.level === 0 ? new Uint8Array(wrong) : tree.tileBytes(tile))),
      (error) => isSteleError(error, 'corrupt') && error.message.includes('tile/0/001.p/44'),
    );
  }
});

test('any altered hash of an edge tile changes the root, so the checkpoint vouches for all of them', () => {
  const root = hex(TileEdge.load(70_000, (tile) => tree.tileBytes(tile)).root());
  for (const altered of edgeTiles(70_000)) {
    for (let hash = 0; hash < altered.width; hash++) {
      const edge = TileEdge.load(70_000, (tile) => {
        const bytes = tree.tileBytes(tile);
        if (tile.level === altered.level) bytes[32 * hash] = 255 - (bytes[32 * hash] ?? 0);
        return bytes;
      });
      assert.notEqual(hex(edge.root()), root, `${tilePath(altered)}, hash ${hash}`);
    }
  }
});

/** A tree of any size whose entries are all equal: one hash per level, so that its tiles are known without building it. */
const uniform = ((): {
  node: Uint8Array[];
  tileBytes: (tile: Tile) => Uint8Array;
  root: (size: number) => Uint8Array;
} => {
  const node = [leafHash(leafEntry(0))];
  for (let level = 0; level < 53; level++) node.push(nodeHash(at(level), at(level)));
  function at(level: number): Uint8Array {
    return node[level] ?? new Uint8Array();
  }
  return {
    node,
    tileBytes: (tile) => concat(Array.from({ length: tile.width }, () => at(8 * (tile.level as number)))),
    root: (size) => {
      const peaks: Uint8Array[] = [];
      for (let level = 0; level <= 53; level++) if ((BigInt(size) >> BigInt(level)) % 2n === 1n) peaks.push(at(level));
      return peaks.reduce((right, left) => nodeHash(left, right));
    },
  };
})();

test('a tree of 10^12 entries grows on, with the roots and tiles that its size demands (LIMIT-3)', () => {
  for (const size of [2 ** 31 - 700, 2 ** 32 - 1, 10 ** 12, 2 ** 48 - 65_537, 2 ** 53 - 70_000]) {
    const edge = TileEdge.load(size, uniform.tileBytes);
    assert.equal(hex(edge.root()), hex(uniform.root(size)));
    for (const to of [size + 1, size + 700, size + 69_999]) {
      edge.append(concat(Array.from({ length: to - edge.size }, () => leafHash(leafEntry(0)))));
      assert.equal(edge.size, to);
      assert.equal(hex(edge.root()), hex(uniform.root(to)), `size ${to}`);
    }
    const { tiles } = growth(size, size + 69_999);
    for (const tile of tiles) assert.equal(hex(edge.tileBytes(tile)), hex(uniform.tileBytes(tile)), tilePath(tile));
    edge.truncate(size + 700);
    assert.equal(hex(edge.root()), hex(uniform.root(size + 700)));
    edge.release(size + 700);
    assert.equal(edge.heldFrom, size + 700);
  }
});

test('an append beyond 2^53-1 entries is refused with nothing appended (LIMIT-3)', () => {
  const largest = 2 ** 53 - 1;
  const edge = TileEdge.load(largest - 1, uniform.tileBytes);
  const two = new Uint8Array(64);
  assert.throws(
    () => edge.append(two),
    (error) => isSteleError(error, 'limit'),
  );
  assert.equal(edge.size, largest - 1);
  edge.append(leafHash(leafEntry(0)));
  assert.equal(hex(edge.root()), hex(uniform.root(largest)));
});
