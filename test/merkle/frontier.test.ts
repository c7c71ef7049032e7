import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { EMPTY_ROOT, Frontier, HASH_SIZE, type Hash, rootOf } from '../../src/merkle/index.ts';
import { NaiveTree, naiveLeaf, naiveNode } from './naive-tree.ts';

const MOST = Number.MAX_SAFE_INTEGER;

const leaf = (index: number): Hash => naiveLeaf(Buffer.from(`entry ${index}`));
const naive = new NaiveTree(leaf);

function packedLeaves(start: number, end: number): Uint8Array {
  return Uint8Array.from(Buffer.concat(Array.from({ length: end - start }, (_, i) => leaf(start + i))));
}

/** A tree of any size whose entries are all the same: the hash of a range depends on its length only. */
const sameLeaf = leaf(0);
const perfect: Hash[] = [sameLeaf];
function perfectHash(level: number): Hash {
  let hash = perfect[level];
  if (hash === undefined) {
    hash = naiveNode(perfectHash(level - 1), perfectHash(level - 1));
    perfect[level] = hash;
  }
  return hash;
}
function uniformRoot(size: number): Hash {
  const level = Math.floor(Math.log2(size));
  if (2 ** level > size) return fold(size, level - 1);
  return fold(size, level);
  function fold(count: number, top: number): Hash {
    return count === 2 ** top ? perfectHash(top) : naiveNode(perfectHash(top), uniformRoot(count - 2 ** top));
  }
}
/** Grows by the largest subtrees that fit, as the alignment of each size allows. */
function growUniform(frontier: Frontier, size: number): void {
  while (frontier.size < size) {
    let level = 0;
    while (level < 53 && frontier.size % 2 ** (level + 1) === 0 && frontier.size + 2 ** (level + 1) <= size) level++;
    frontier.appendSubtree(level, perfectHash(level));
  }
}

suite('frontier', () => {
  test('the root from the right edge alone is that of the whole tree, for all sizes up to 1,025 (GROW-9)', () => {
    const frontier = Frontier.empty();
    assert.deepEqual(frontier.root(), naive.hash(0, 0));
    for (let size = 1; size <= 1025; size++) {
      frontier.append(leaf(size - 1));
      assert.equal(frontier.size, size);
      assert.deepEqual(frontier.root(), naive.hash(0, size), `size ${size}`);
      const restored = Frontier.from(size, frontier.peaks());
      assert.deepEqual(restored.root(), naive.hash(0, size), `size ${size}, from its peaks`);
    }
  });

  test('however the entries are cut into appends, the tree is the same (GROW-9)', () => {
    const all = packedLeaves(0, 1500);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 300 }), { maxLength: 5 }), (lengths) => {
        const frontier = Frontier.empty();
        for (const length of lengths) {
          frontier.append(all.subarray(frontier.size * HASH_SIZE, (frontier.size + length) * HASH_SIZE));
          assert.deepEqual(frontier.root(), naive.hash(0, frontier.size));
        }
        assert.deepEqual(rootOf(all.subarray(0, frontier.size * HASH_SIZE)), naive.hash(0, frontier.size));
      }),
      { numRuns: 60 },
    );
  });

  test('a subtree appended at its place is as good as its entries one by one', () => {
    for (let size = 1; size <= 70; size++) {
      const frontier = Frontier.empty();
      while (frontier.size < size) {
        let level = 0;
        while (frontier.size % 2 ** (level + 1) === 0 && frontier.size + 2 ** (level + 1) <= size) level++;
        frontier.appendSubtree(level, naive.hash(frontier.size, frontier.size + 2 ** level));
      }
      assert.deepEqual(frontier.root(), naive.hash(0, size), `size ${size}`);
    }
  });

  test('subtrees may follow each other in any order that fits, and complete larger ones', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 8 }), { maxLength: 40 }), (levels) => {
        const frontier = Frontier.empty();
        for (const wanted of levels) {
          let level = wanted;
          while (frontier.size % 2 ** level !== 0) level--;
          if (frontier.size + 2 ** level > 1500) break;
          frontier.appendSubtree(level, naive.hash(frontier.size, frontier.size + 2 ** level));
          assert.deepEqual(frontier.root(), naive.hash(0, frontier.size), `size ${frontier.size}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a subtree is refused where it cannot begin', () => {
    const frontier = Frontier.empty();
    frontier.append(packedLeaves(0, 6));
    for (const level of [2, 3, 40, -1, 0.5, Number.NaN]) {
      assert.throws(() => frontier.appendSubtree(level, sameLeaf), RangeError, `level ${level}`);
    }
    assert.deepEqual(frontier.root(), naive.hash(0, 6));
  });

  test('a tree of 10^12 entries grows exactly, entry by entry and in batches (LIMIT-3)', () => {
    const frontier = Frontier.empty();
    growUniform(frontier, 10 ** 12 - 700);
    for (let i = 0; i < 200; i++) frontier.append(sameLeaf);
    frontier.append(Uint8Array.from(Buffer.concat(Array(1300).fill(sameLeaf))));
    assert.equal(frontier.size, 10 ** 12 + 800);
    assert.deepEqual(frontier.root(), uniformRoot(10 ** 12 + 800));
  });

  test('roots at sizes around 2^31, 2^32 and 2^53 are exact (LIMIT-3)', () => {
    for (const power of [2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52]) {
      const frontier = Frontier.empty();
      growUniform(frontier, power - 3);
      for (let size = power - 3; size <= power + 3; size++) {
        assert.deepEqual(frontier.root(), uniformRoot(size), `size ${size}`);
        assert.deepEqual(
          Frontier.from(size, frontier.peaks()).root(),
          uniformRoot(size),
          `size ${size}, from its peaks`,
        );
        frontier.append(sameLeaf);
      }
    }
  });

  test('a tree grows to 2^53−1 entries and no further, and stays as it was (LIMIT-3)', () => {
    const frontier = Frontier.empty();
    growUniform(frontier, MOST - 2);
    frontier.append(Uint8Array.from(Buffer.concat([sameLeaf, sameLeaf])));
    assert.equal(frontier.size, MOST);
    const root = frontier.root();
    assert.deepEqual(root, uniformRoot(MOST));
    assert.throws(
      () => frontier.append(sameLeaf),
      (error) => isSteleError(error, 'limit'),
    );
    assert.throws(
      () => frontier.appendSubtree(0, sameLeaf),
      (error) => isSteleError(error, 'limit'),
    );
    assert.throws(
      () => Frontier.empty().appendSubtree(53, sameLeaf),
      (error) => isSteleError(error, 'limit'),
    );
    assert.equal(frontier.size, MOST);
    assert.deepEqual(frontier.root(), root);
  });

  test('a clone and its original grow apart', () => {
    const frontier = Frontier.empty();
    frontier.append(packedLeaves(0, 13));
    const clone = frontier.clone();
    clone.append(packedLeaves(13, 20));
    assert.deepEqual(frontier.root(), naive.hash(0, 13));
    assert.deepEqual(clone.root(), naive.hash(0, 20));
    frontier.append(packedLeaves(13, 17));
    assert.deepEqual(frontier.root(), naive.hash(0, 17));
    assert.deepEqual(clone.root(), naive.hash(0, 20));
  });

  test('a frontier keeps no view of what it was given', () => {
    const frontier = Frontier.empty();
    const leaves = packedLeaves(0, 3);
    frontier.append(leaves);
    leaves.fill(0);
    assert.deepEqual(frontier.root(), naive.hash(0, 3));
  });

  test('peaks that are too few or too many for a size are refused', () => {
    assert.deepEqual(Frontier.from(0, []).root(), EMPTY_ROOT);
    for (const [size, count] of [
      [0, 1],
      [1, 0],
      [7, 2],
      [8, 3],
      [-1, 0],
      [2 ** 53, 1],
      [1.5, 1],
      [Number.NaN, 0],
    ] as const) {
      assert.throws(() => Frontier.from(size, Array(count).fill(sameLeaf)), RangeError, `size ${size}`);
    }
  });

  test('bytes that are not whole hashes are refused', () => {
    const frontier = Frontier.empty();
    assert.throws(() => frontier.append(new Uint8Array(33)), RangeError);
    assert.throws(() => rootOf(new Uint8Array(31)), RangeError);
    assert.equal(frontier.size, 0);
  });
});
