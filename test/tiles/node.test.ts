import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { HASH_SIZE, rootOf } from '../../src/merkle/index.ts';
import { growth, tileOfNode, tilePath } from '../../src/tiles/index.ts';
import { hex, leafEntry, leafHash, NaiveTree, nodeHash } from './model.ts';

const leaves = Array.from({ length: 1_100 }, (_, i) => leafHash(leafEntry(i)));
const tree = new NaiveTree([leaves]);

test('every node of a tree is the root of its slice of a tile that is served (TILES-9, TILES-11)', () => {
  for (const size of [1, 2, 255, 256, 257, 511, 512, 700, 1_024, 1_100]) {
    const served = new Map(
      Array.from(growth(0, size).tiles, (tile) => [tilePath(tile), tree.tileBytes(tile)] as const),
    );
    let below = leaves.slice(0, size);
    for (let level = 0; below.length > 0; level++) {
      for (const [index, hash] of below.entries()) {
        const { tile, start, end } = tileOfNode({ level, index }, size);
        const slice = served.get(tilePath(tile))?.subarray(start * HASH_SIZE, end * HASH_SIZE);
        assert.equal(hex(rootOf(slice ?? new Uint8Array())), hex(hash), `node ${index} on level ${level} of ${size}`);
      }
      below = pairs(below);
    }
  }
});

/** The next level of nodes: parents of complete pairs. */
function pairs(hashes: readonly Uint8Array[]): Uint8Array[] {
  return hashes.flatMap((right, i) => {
    const left = hashes[i - 1];
    return i % 2 === 1 && left !== undefined ? [nodeHash(left, right)] : [];
  });
}

test('nodes of trees up to 2^53-1 are found where integers of any size put them (LIMIT-3)', () => {
  const query = fc
    .tuple(fc.oneof(fc.maxSafeNat(), fc.integer({ min: 2 ** 53 - 1_000, max: 2 ** 53 - 1 })), fc.nat(52))
    .filter(([size, level]) => size >= 2 ** level)
    .chain(([size, level]) => {
      const last = Number(BigInt(size) / 2n ** BigInt(level)) - 1;
      const index = fc.oneof(fc.integer({ min: 0, max: last }), fc.constant(last));
      return index.map((index) => ({ size, level, index }));
    });
  fc.assert(
    fc.property(query, ({ size, level, index }) => {
      const { tile, start, end } = tileOfNode({ level, index }, size);
      const tileLevel = BigInt(Math.floor(level / 8));
      assert.equal(tile.level, Number(tileLevel));
      const each = 256n ** tileLevel;
      assert.equal((BigInt(tile.n) * 256n + BigInt(start)) * each, BigInt(index) * 2n ** BigInt(level));
      assert.equal((BigInt(tile.n) * 256n + BigInt(end)) * each, (BigInt(index) + 1n) * 2n ** BigInt(level));
      const left = BigInt(size) / each - BigInt(tile.n) * 256n;
      assert.equal(tile.width, Number(left < 256n ? left : 256n));
      assert.ok(end <= tile.width);
    }),
    { numRuns: 1_000 },
  );
});

test('the tile of a node has the width that is served, so that growing the tree moves it (TILES-14)', () => {
  const node = { level: 3, index: 0 };
  assert.deepEqual(tileOfNode(node, 8), { tile: { level: 0, n: 0, width: 8 }, start: 0, end: 8 });
  assert.deepEqual(tileOfNode(node, 300), { tile: { level: 0, n: 0, width: 256 }, start: 0, end: 8 });
  assert.deepEqual(tileOfNode({ level: 8, index: 0 }, 300), { tile: { level: 1, n: 0, width: 1 }, start: 0, end: 1 });
  assert.deepEqual(growth(255, 256).tiles[1], tileOfNode({ level: 8, index: 0 }, 256).tile);
});

test('a node that reaches beyond the tree, and a size that is none, are refused (LIMIT-3)', () => {
  for (const [level, index, size] of [
    [0, 0, 0],
    [0, 5, 5],
    [3, 1, 15],
    [8, 0, 255],
    [-1, 0, 5],
    [0.5, 0, 5],
    [0, -1, 5],
    [0, 0.5, 5],
    [53, 0, 2 ** 53 - 1],
    [60, 0, 2 ** 53 - 1],
  ] as const) {
    assert.throws(() => tileOfNode({ level, index }, size), RangeError, `${level}, ${index}, ${size}`);
  }
  assert.throws(
    () => tileOfNode({ level: 0, index: 0 }, 2 ** 53),
    (error) => isSteleError(error, 'limit'),
  );
});
