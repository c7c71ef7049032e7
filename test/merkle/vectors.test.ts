/** The vectors that independent implementations made; tiles-spec/vectors. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import {
  consistencyRanges,
  EMPTY_ROOT,
  Frontier,
  foldNodes,
  HASH_SIZE,
  type Hash,
  hashLeaf,
  hashLeaves,
  hashLevel,
  hashNode,
  inclusionRanges,
  isValidSubtree,
  type Range,
  rangeNodes,
  rootOf,
  subtreeRanges,
  verifyConsistency,
  verifyInclusion,
  verifySubtree,
} from '../../src/merkle/index.ts';

interface Verdict {
  readonly id: string;
  readonly mutation?: string;
  readonly expect: 'accept' | 'reject';
}
interface HashingVectors {
  readonly emptyRoot: string;
  readonly leaves: readonly {
    readonly id: string;
    readonly input?: { readonly utf8?: string; readonly base64?: string };
    readonly repeatByte?: number;
    readonly length: number;
    readonly leafHash: string;
  }[];
  readonly nodes: readonly {
    readonly id: string;
    readonly left: string;
    readonly right: string;
    readonly nodeHash: string;
  }[];
}
interface RootVectors {
  readonly cases: readonly { readonly size: number; readonly root: string }[];
}
interface InclusionVectors {
  readonly cases: readonly (Verdict & {
    readonly size: number;
    readonly index: number;
    readonly leafHash: string;
    readonly root: string;
    readonly proof: readonly string[];
  })[];
}
interface ConsistencyVectors {
  readonly cases: readonly (Verdict & {
    readonly oldSize: number;
    readonly newSize: number;
    readonly oldRoot: string;
    readonly newRoot: string;
    readonly proof: readonly string[];
  })[];
}
interface SubtreeVectors {
  readonly vec1: { readonly hashes: string; readonly proofs: string };
  readonly validity: readonly { readonly start: number; readonly end: number; readonly valid: boolean }[];
  readonly cases: readonly (Verdict & {
    readonly size: number;
    readonly start: number;
    readonly end: number;
    readonly subtreeHash: string;
    readonly root: string;
    readonly proof: readonly string[];
  })[];
}

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../tiles-spec/vectors/${name}.json`, import.meta.url), 'utf8'));
}

const bytes = (base64: string): Hash => Uint8Array.from(Buffer.from(base64, 'base64'));
const text = (hash: Hash): string => Buffer.from(hash).toString('base64');
const hex = (hash: Hash): string => Buffer.from(hash).toString('hex');

/** All the node hashes of a tree of the vectors' entries, level by level: where proofs are fetched from. */
class Tree {
  readonly #levels: Uint8Array[];

  constructor(leafHashes: Uint8Array) {
    this.#levels = [leafHashes];
    for (let level = leafHashes; level.length >= 2 * HASH_SIZE; ) {
      level = hashLevel(level.subarray(0, level.length - (level.length % (2 * HASH_SIZE))));
      this.#levels.push(level);
    }
  }

  hash({ start, end }: Range): Hash {
    const hashes = rangeNodes(start, end).map(({ level, index }) => {
      const hash = this.#levels[level]?.slice(index * HASH_SIZE, (index + 1) * HASH_SIZE);
      assert.equal(hash?.length, HASH_SIZE, `no node ${index} on level ${level}`);
      return hash;
    });
    return foldNodes(hashes);
  }

  hashes(ranges: readonly Range[]): string[] {
    return ranges.map((range) => text(this.hash(range)));
  }
}

/** Entry i is utf8("leaf " + i). */
function vectorLeafHashes(count: number): Uint8Array {
  const entries = Array.from({ length: count }, (_, i) => new TextEncoder().encode(`leaf ${i}`));
  const spans = new Uint32Array(2 * count);
  let end = 0;
  for (const [i, entry] of entries.entries()) {
    spans[2 * i] = end;
    end += entry.length;
    spans[2 * i + 1] = end;
  }
  return hashLeaves(Uint8Array.from(Buffer.concat(entries)), spans);
}

const leafHashes = vectorLeafHashes(70_000);
const tree = new Tree(leafHashes);

/** A rejected case must be rejected as an invalid proof, and not fail in some other way. */
function judge(verdict: Verdict, verify: () => void): void {
  const about = `${verdict.id} ${verdict.mutation ?? ''}`;
  if (verdict.expect === 'accept') assert.doesNotThrow(verify, about);
  else assert.throws(verify, (error) => isSteleError(error, 'invalid-proof'), about);
}

suite('vectors', () => {
  const hashing = vectors<HashingVectors>('hashing');

  test('leaf and node hashes, and the empty root, are those of the vectors', () => {
    assert.equal(text(EMPTY_ROOT), hashing.emptyRoot);
    for (const { id, input, repeatByte, length, leafHash } of hashing.leaves) {
      const entry =
        input === undefined
          ? new Uint8Array(length).fill(repeatByte ?? 0)
          : Uint8Array.from(
              Buffer.from(input.utf8 ?? input.base64 ?? '', input.utf8 === undefined ? 'base64' : 'utf8'),
            );
      assert.equal(entry.length, length, id);
      assert.equal(text(hashLeaf(entry)), leafHash, id);
      const copies = Uint8Array.from(Buffer.concat([entry, entry, entry, entry]));
      const spans = Uint32Array.from([0, 0, 1, 1, 2, 2, 3, 3].map((i, j) => (i + (j % 2)) * length));
      assert.equal(
        text(hashLeaves(copies, spans)),
        text(Uint8Array.from(Buffer.concat(Array(4).fill(bytes(leafHash))))),
      );
    }
    for (const { id, left, right, nodeHash } of hashing.nodes) {
      assert.equal(text(hashNode(bytes(left), bytes(right))), nodeHash, id);
    }
    const children = hashing.nodes.flatMap(({ left, right }) => [bytes(left), bytes(right)]);
    const parents = hashing.nodes.map(({ nodeHash }) => bytes(nodeHash));
    assert.equal(text(hashLevel(Uint8Array.from(Buffer.concat(children)))), text(Buffer.concat(parents)));
  });

  test('the roots of all sizes are those of the vectors, grown entry by entry and all at once', () => {
    const roots = new Map(vectors<RootVectors>('roots').cases.map(({ size, root }) => [size, root]));
    const frontier = Frontier.empty();
    for (const [size, root] of [...roots].sort(([a], [b]) => a - b)) {
      frontier.append(leafHashes.subarray(frontier.size * HASH_SIZE, size * HASH_SIZE));
      assert.equal(text(frontier.root()), root, `size ${size}`);
      assert.equal(text(rootOf(leafHashes.subarray(0, size * HASH_SIZE))), root, `size ${size}`);
      assert.equal(text(tree.hash({ start: 0, end: size })), root, `size ${size}`);
    }
  });

  test('inclusion proofs of the vectors are accepted, spoiled ones refused, and ours are the same', () => {
    for (const c of vectors<InclusionVectors>('inclusion').cases) {
      const proof = c.proof.map(bytes);
      judge(c, () =>
        verifyInclusion({ index: c.index, size: c.size, leafHash: bytes(c.leafHash), proof, root: bytes(c.root) }),
      );
      if (c.expect === 'accept') assert.deepEqual(tree.hashes(inclusionRanges(c.index, c.size)), c.proof, c.id);
    }
  });

  test('consistency proofs of the vectors are accepted, spoiled ones refused, and ours are the same', () => {
    for (const c of vectors<ConsistencyVectors>('consistency').cases) {
      const proof = c.proof.map(bytes);
      const [oldRoot, newRoot] = [bytes(c.oldRoot), bytes(c.newRoot)];
      judge(c, () => verifyConsistency({ oldSize: c.oldSize, newSize: c.newSize, oldRoot, newRoot, proof }));
      if (c.expect === 'accept') assert.deepEqual(tree.hashes(consistencyRanges(c.oldSize, c.newSize)), c.proof, c.id);
    }
  });

  const subtrees = vectors<SubtreeVectors>('subtree');

  test('subtree proofs of the vectors are accepted, spoiled ones refused, and ours are the same (SUB-4)', () => {
    for (const c of subtrees.cases) {
      const proof = c.proof.map(bytes);
      const [subtreeHash, root] = [bytes(c.subtreeHash), bytes(c.root)];
      judge(c, () => verifySubtree({ start: c.start, end: c.end, size: c.size, subtreeHash, proof, root }));
      if (c.expect === 'reject') continue;
      assert.deepEqual(tree.hashes(subtreeRanges(c.start, c.end, c.size)), c.proof, c.id);
      assert.equal(text(tree.hash(c)), c.subtreeHash, c.id);
    }
  });

  test('a range is a subtree exactly where the vectors say so (SUB-1)', () => {
    for (const { start, end, valid } of subtrees.validity) {
      assert.equal(isValidSubtree(start, end), valid, `[${start}, ${end})`);
    }
  });

  test('the hashes of all subtrees of 130 one-byte entries have the published digest (VEC-1)', () => {
    const lines = createHash('sha256');
    const small = new Tree(oneByteLeaves(130));
    for (let end = 0; end <= 130; end++) {
      for (let start = 0; start <= end; start++) {
        // The digest was made where the empty range counts as a subtree, too, which SUB-1 refuses: its hash is known.
        if (start !== end && !isValidSubtree(start, end)) continue;
        lines.update(`[${start}, ${end}) ${hex(small.hash({ start, end }))}\n`);
      }
    }
    assert.equal(lines.digest('hex'), subtrees.vec1.hashes);
  });

  test('the proofs of all subtrees of all trees up to 130 one-byte entries have the published digest (VEC-1)', () => {
    const lines = createHash('sha256');
    const small = new Tree(oneByteLeaves(130));
    for (let size = 0; size <= 130; size++) {
      for (let end = 0; end <= size; end++) {
        for (let start = 0; start <= end; start++) {
          // Here too the empty range counts, and its proof is empty.
          if (start !== end && !isValidSubtree(start, end)) continue;
          const ranges = start === end ? [] : subtreeRanges(start, end, size);
          const proof = ranges.map((range) => hex(small.hash(range)));
          lines.update(`${[`[${start}, ${end}) ${size}`, ...proof].join(' ')}\n`);
        }
      }
    }
    assert.equal(lines.digest('hex'), subtrees.vec1.proofs);
  });

  test('each proof of VEC-1 verifies', () => {
    const small = new Tree(oneByteLeaves(130));
    for (let size = 0; size <= 130; size += 13) {
      const root = small.hash({ start: 0, end: size });
      for (let end = 0; end <= size; end++) {
        for (let start = 0; start <= end; start++) {
          if (!isValidSubtree(start, end)) continue;
          const proof = subtreeRanges(start, end, size).map((range) => small.hash(range));
          verifySubtree({ start, end, size, subtreeHash: small.hash({ start, end }), proof, root });
        }
      }
    }
  });
});

function oneByteLeaves(count: number): Uint8Array {
  const spans = Uint32Array.from({ length: 2 * count }, (_, i) => Math.ceil(i / 2));
  return hashLeaves(
    Uint8Array.from({ length: count }, (_, i) => i),
    spans,
  );
}
