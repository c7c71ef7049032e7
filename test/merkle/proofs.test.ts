import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import {
  consistencyRanges,
  EMPTY_ROOT,
  foldNodes,
  type Hash,
  inclusionRanges,
  isValidSubtree,
  type Range,
  rangeNodes,
  subtreeRanges,
  verifyConsistency,
  verifyInclusion,
  verifySubtree,
} from '../../src/merkle/index.ts';
import { NaiveTree, naiveInclusionHolds, naiveIsSubtree, naiveLeaf, naiveSubtreeHolds } from './naive-tree.ts';

const MOST = Number.MAX_SAFE_INTEGER;
const naive = new NaiveTree((index) => naiveLeaf(Buffer.from(`entry ${index}`)));
/** All entries are the same, so that trees of any size can be had: the hash of a range is that of its length. */
const uniform = new NaiveTree(() => naiveLeaf(Buffer.from('entry')));
const uniformHash = ({ start, end }: Range): Hash => uniformOf(end - start);
const uniformKnown = new Map<number, Hash>();
function uniformOf(count: number): Hash {
  let hash = uniformKnown.get(count);
  if (hash === undefined) {
    let half = 1;
    while (2 * half < count) half *= 2;
    hash = count === 1 ? uniform.hash(0, 1) : foldNodes([uniformOf(half), uniformOf(count - half)]);
    uniformKnown.set(count, hash);
  }
  return hash;
}

/** Whether it verifies; whatever else goes wrong is a failure of the test. */
function verifies(verify: () => void): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    assert.ok(isSteleError(error, 'invalid-proof'), String(error));
    return false;
  }
}

/** Ways to spoil a proof, in sequence. Numbers pick places and are taken modulo what there is. */
type Spoiling = {
  readonly how: 'flip' | 'drop' | 'repeat' | 'swap' | 'zero' | 'other' | 'cut' | 'grow';
  readonly at: number;
};
const spoilings: fc.Arbitrary<Spoiling[]> = fc.array(
  fc.record({
    how: fc.constantFrom('flip', 'drop', 'repeat', 'swap', 'zero', 'other', 'cut', 'grow'),
    at: fc.nat({ max: 10_000 }),
  }),
  { maxLength: 2 },
);

function spoiled(proof: readonly Hash[], how: readonly Spoiling[]): Hash[] {
  return how.reduce((hashes: Hash[], spoiling) => spoil(hashes, spoiling), [...proof]);
}

function spoil(hashes: Hash[], { how, at }: Spoiling): Hash[] {
  const place = hashes.length === 0 ? 0 : at % hashes.length;
  const hash = hashes[place] ?? EMPTY_ROOT;
  const put = (...instead: Hash[]) => hashes.toSpliced(place, 1, ...instead);
  switch (how) {
    case 'flip':
      return put(hash.map((byte, i) => (i === at % 32 ? byte ^ (1 << (at % 8)) : byte)));
    case 'drop':
      return put();
    case 'repeat':
      return put(hash, hash);
    case 'swap':
      return [...hashes.slice(place), ...hashes.slice(0, place)];
    case 'zero':
      return [...hashes, new Uint8Array(32)];
    case 'other':
      return put(naive.hash(at % 50, (at % 50) + 1));
    case 'cut':
      return put(hash.slice(0, at % 32));
    case 'grow':
      return put(Uint8Array.of(...hash, 0));
  }
}

/** The naive model joins hashes of any length; a proof has hashes of 32 bytes. */
const wellFormed = (...hashes: readonly Hash[]): boolean => hashes.every((hash) => hash.length === 32);

const sizes = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 600 }));
/** A claim is sometimes about another number than the proof was made for. */
const shift = fc.constantFrom(0, 0, 0, 0, -1, 1, 2, -2, 64);

suite('proofs', () => {
  test('our inclusion proofs are those of the definition, and verify (FUZZ-4)', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, pick) => {
        const index = pick % size;
        const proof = inclusionRanges(index, size).map(({ start, end }) => naive.hash(start, end));
        assert.deepEqual(proof, naive.path(index, size));
        verifyInclusion({ index, size, leafHash: naive.hash(index, index + 1), proof, root: naive.hash(0, size) });
      }),
      { numRuns: 300 },
    );
  });

  test('an inclusion proof, spoiled or not, is accepted exactly when the naive model accepts it (FUZZ-4)', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), shift, shift, shift, spoilings, (size, pick, indexBy, sizeBy, rootBy, spoiling) => {
        const made = pick % size;
        const proof = spoiled(naive.path(made, size), spoiling);
        const claim = { index: made + indexBy, size: size + sizeBy, leafHash: naive.hash(made, made + 1), proof };
        const root = naive.hash(0, Math.max(0, size + rootBy));
        const expected =
          wellFormed(...proof) && naiveInclusionHolds(claim.index, claim.size, claim.leafHash, proof, root);
        assert.equal(
          verifies(() => verifyInclusion({ ...claim, root })),
          expected,
        );
      }),
      { numRuns: 1500 },
    );
  });

  test('a consistency proof, spoiled or not, is accepted exactly when the naive model accepts it (FUZZ-4)', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), shift, shift, shift, spoilings, (newSize, pick, oldBy, newBy, rootBy, spoiling) => {
        const made = 1 + (pick % newSize);
        const ours = consistencyRanges(made, newSize).map(({ start, end }) => naive.hash(start, end));
        assert.deepEqual(ours, naive.subproof(0, made, newSize));
        const proof = spoiled(ours, spoiling);
        const [oldRoot, newRoot] = [naive.hash(0, Math.max(0, made + rootBy)), naive.hash(0, newSize)];
        const claim = { oldSize: made + oldBy, newSize: newSize + newBy, oldRoot, newRoot, proof };
        const expected =
          claim.oldSize === 0
            ? claim.newSize > 0 && proof.length === 0 && made + rootBy <= 0
            : wellFormed(...proof) && naiveSubtreeHolds(0, claim.oldSize, claim.newSize, oldRoot, proof, newRoot);
        assert.equal(
          verifies(() => verifyConsistency(claim)),
          expected,
        );
      }),
      { numRuns: 1500 },
    );
  });

  test('a subtree proof, spoiled or not, is accepted exactly when the naive model accepts it (FUZZ-4, SUB-4)', () => {
    fc.assert(
      fc.property(
        sizes,
        fc.nat(),
        fc.nat({ max: 9 }),
        fc.nat(),
        shift,
        shift,
        shift,
        spoilings,
        (size, pick, level, length, startBy, endBy, sizeBy, spoiling) => {
          const width = 2 ** level;
          const start = Math.floor((pick % size) / width) * width;
          const end = start + 1 + (length % Math.min(width, size - start));
          const ours = subtreeRanges(start, end, size).map((range) => naive.hash(range.start, range.end));
          assert.deepEqual(ours, naive.subproof(start, end, size));
          const proof = spoiled(ours, spoiling);
          const [subtreeHash, root] = [naive.hash(start, end), naive.hash(0, size)];
          const claim = { start: start + startBy, end: end + endBy, size: size + sizeBy, subtreeHash, proof, root };
          const expected =
            wellFormed(...proof) && naiveSubtreeHolds(claim.start, claim.end, claim.size, subtreeHash, proof, root);
          assert.equal(
            verifies(() => verifySubtree(claim)),
            expected,
          );
        },
      ),
      { numRuns: 1500 },
    );
  });

  test('the hash of every subtree is the right fold of its nodes', () => {
    for (let end = 0; end <= 80; end++) {
      for (let start = 0; start <= end; start++) {
        assert.equal(isValidSubtree(start, end), naiveIsSubtree(start, end), `[${start}, ${end})`);
        if (start < end && !naiveIsSubtree(start, end)) {
          assert.throws(() => rangeNodes(start, end), RangeError);
          assert.throws(() => subtreeRanges(start, end, 100), RangeError);
          continue;
        }
        const hashes = rangeNodes(start, end).map(({ level, index }) =>
          naive.hash(index * 2 ** level, (index + 1) * 2 ** level),
        );
        assert.deepEqual(foldNodes(hashes), naive.hash(start, end), `[${start}, ${end})`);
      }
    }
  });

  test('every tree extends the empty one, by an empty proof from the empty root only', () => {
    const [oldSize, oldRoot, proof] = [0, EMPTY_ROOT, [] as Hash[]];
    const newRoot = naive.hash(0, 5);
    assert.deepEqual(consistencyRanges(0, 5), []);
    assert.deepEqual(consistencyRanges(0, 0), []);
    verifyConsistency({ oldSize, newSize: 5, oldRoot, newRoot, proof });
    verifyConsistency({ oldSize, newSize: 0, oldRoot, newRoot: EMPTY_ROOT, proof });
    for (const wrong of [
      { oldSize, newSize: 5, oldRoot, newRoot, proof: [newRoot] },
      { oldSize, newSize: 5, oldRoot: newRoot, newRoot, proof },
      { oldSize, newSize: 0, oldRoot, newRoot, proof },
      { oldSize, newSize: -1, oldRoot, newRoot, proof },
      { oldSize, newSize: 2 ** 53, oldRoot, newRoot, proof },
    ]) {
      assert.ok(!verifies(() => verifyConsistency(wrong)));
    }
  });

  test('proofs in trees around 2^31, 2^32 and 2^53 are exact (LIMIT-3)', () => {
    for (const size of [2 ** 31 - 1, 2 ** 31 + 1, 2 ** 32, 2 ** 32 + 1, 10 ** 12, 2 ** 52 + 1, MOST]) {
      const root = uniformOf(size);
      for (const index of [0, 1, 2 ** 31, 2 ** 32 - 1, Math.floor(size / 3), size - 2, size - 1]) {
        if (index >= size) continue;
        const proof = inclusionRanges(index, size).map(uniformHash);
        verifyInclusion({ index, size, leafHash: uniformOf(1), proof, root });
        if (index > 0) {
          const consistency = consistencyRanges(index, size).map(uniformHash);
          verifyConsistency({
            oldSize: index,
            newSize: size,
            oldRoot: uniformOf(index),
            newRoot: root,
            proof: consistency,
          });
        }
        const start = Math.floor(index / 2 ** 20) * 2 ** 20;
        const end = Math.min(size, start + 2 ** 20 - 5);
        const subtree = subtreeRanges(start, end, size).map(uniformHash);
        verifySubtree({ start, end, size, subtreeHash: uniformOf(end - start), proof: subtree, root });
      }
    }
  });

  test('the ranges of a proof and its subtree make up the tree, without gap or overlap (LIMIT-3)', () => {
    const size = fc.integer({ min: 1, max: MOST });
    fc.assert(
      fc.property(size, fc.maxSafeNat(), fc.nat({ max: 53 }), (size, pick, level) => {
        const width = 2 ** level;
        const start = Math.floor((pick % size) / width) * width;
        const end = Math.min(size, start + width);
        const ranges = subtreeRanges(start, end, size);
        for (const range of ranges) assert.ok(isValidSubtree(range.start, range.end));
        // Beyond a split the proof also has the parts of the subtree itself.
        const outside = ranges.filter((range) => range.end <= start || range.start >= end);
        const parts = [{ start, end }, ...outside].sort((a, b) => a.start - b.start);
        let at = 0;
        for (const part of parts) {
          assert.equal(part.start, at);
          at = part.end;
        }
        assert.equal(at, size);
        for (const { start: low, end: high } of [...ranges, { start: 0, end: size }]) {
          let reached = low;
          for (const { level, index } of rangeNodes(low, high)) {
            assert.equal(index * 2 ** level, reached);
            reached += 2 ** level;
          }
          assert.equal(reached, high);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('numbers that are no sizes or indices are refused (LIMIT-3)', () => {
    const [root, proof, leafHash] = [naive.hash(0, 1), [] as Hash[], naive.hash(0, 1)];
    for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 53 + 2]) {
      assert.throws(() => inclusionRanges(0, wrong), RangeError);
      assert.throws(() => inclusionRanges(wrong, MOST), RangeError);
      assert.throws(() => consistencyRanges(1, wrong), RangeError);
      assert.throws(() => consistencyRanges(0, wrong), RangeError);
      assert.throws(() => rangeNodes(0, wrong), RangeError);
      assert.ok(!verifies(() => verifyInclusion({ index: 0, size: wrong, leafHash, proof, root })));
      assert.ok(!verifies(() => verifyInclusion({ index: wrong, size: 1, leafHash, proof, root })));
      assert.ok(
        !verifies(() => verifyConsistency({ oldSize: wrong, newSize: 1, oldRoot: root, newRoot: root, proof })),
      );
      assert.ok(
        !verifies(() => verifyConsistency({ oldSize: 1, newSize: wrong, oldRoot: root, newRoot: root, proof })),
      );
    }
    assert.throws(() => inclusionRanges(3, 3), RangeError);
    assert.throws(() => consistencyRanges(4, 3), RangeError);
  });
});
