import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogReader } from '../../src/client/index.ts';
import {
  foldNodes,
  hashLeaf,
  hashNode,
  rangeNodes,
  verifyConsistency,
  verifyInclusion,
} from '../../src/merkle/index.ts';
import { verifyProof } from '../../src/note/index.ts';
import { parseTilePath, tileWidth } from '../../src/tiles/index.ts';
import { leaves, TestLog, TestStore, testClock, vectors, verifier } from './test-log.ts';

const log = new TestLog(leaves(70_000));
await log.publish(70_000);
const reader = new LogReader(log.store, verifier, { clock: testClock() });

function accepted(file: string) {
  const { cases } = JSON.parse(readFileSync(join(vectors, file), 'utf8'));
  return cases.filter((each: { expect: string; mutation?: string }) => each.expect === 'accept' && !each.mutation);
}

function unsigned(size: number, root: string) {
  return { origin: verifier.name, size, root: Buffer.from(root, 'base64'), extensions: [] };
}

const base64 = (hashes: readonly Uint8Array[]) => hashes.map((hash) => Buffer.from(hash).toString('base64'));

test('inclusion proofs from tiles are those of the vectors, for trees up to 70,000 (VEC-2)', async () => {
  const cases = accepted('inclusion.json');
  assert.ok(cases.length > 900);
  for (const { id, size, index, root, proof } of cases) {
    assert.deepEqual(base64(await reader.inclusionProof(index, unsigned(size, root))), proof, id);
  }
});

test('consistency proofs from tiles are those of the vectors, for trees up to 70,000 (VEC-2)', async () => {
  const cases = accepted('consistency.json');
  assert.ok(cases.length > 900);
  for (const { id, oldSize, newSize, oldRoot, newRoot, proof } of cases) {
    const checkpoint = unsigned(newSize, newRoot);
    assert.deepEqual(base64(await reader.consistencyProof(oldSize, checkpoint)), proof, id);
    assert.deepEqual(base64([await reader.rootAt(oldSize, checkpoint)]), [oldRoot], id);
  }
});

test('the roots of the vectors are the roots of the tree cut to their size', async () => {
  const { cases } = JSON.parse(readFileSync(join(vectors, 'roots.json'), 'utf8'));
  const checkpoint = await log.sign(70_000);
  for (const { size, root } of cases) {
    assert.deepEqual(base64([await reader.rootAt(size, checkpoint)]), [root], `size ${size}`);
  }
});

test('proofs from tiles verify for any index and sizes', async () => {
  const sizes = fc.integer({ min: 1, max: 70_000 });
  await fc.assert(
    fc.asyncProperty(sizes, sizes, fc.nat(), async (a, b, at) => {
      const [oldSize, newSize] = [Math.min(a, b), Math.max(a, b)];
      const [oldRoot, newRoot] = [log.root(oldSize), log.root(newSize)];
      const checkpoint = unsigned(newSize, Buffer.from(newRoot).toString('base64'));
      const index = at % newSize;
      const leafHash = hashLeaf(log.entries[index] ?? assert.fail());
      const inclusion = await reader.inclusionProof(index, checkpoint);
      verifyInclusion({ index, size: newSize, leafHash, proof: inclusion, root: newRoot });
      const proof = await reader.consistencyProof(oldSize, checkpoint);
      verifyConsistency({ oldSize, newSize, oldRoot, newRoot, proof });
    }),
    { numRuns: 15 },
  );
});

test('a proof file verifies offline for its entry and for no other', async () => {
  const checkpoint = await reader.checkpoint();
  for (const index of [0, 255, 256, 65_535, 65_536, 69_999]) {
    const proof = await reader.prove(index, checkpoint);
    const entry = log.entries[index] ?? assert.fail();
    const verified = verifyProof(proof, hashLeaf(entry), verifier);
    assert.equal(verified.index, index);
    assert.equal(verified.checkpoint.size, 70_000);
    assert.throws(() => verifyProof(proof, hashLeaf(Buffer.from('leaf 12')), verifier), { code: 'invalid-proof' });
  }
});

test('proofs and entries of a log of 10^12 entries are exact (LIMIT-3)', async () => {
  // All entries are equal, so all nodes of one level are: every tile is one hash, repeated.
  const entry = Buffer.from('the same');
  const nodes = [hashLeaf(entry)];
  for (const node of nodes) if (nodes.length < 48) nodes.push(hashNode(node, node));
  const size = 10 ** 12;
  const store = new TestStore((key) => {
    const { level, n, width } = parseTilePath(key);
    assert.equal(width, tileWidth(level, n, size), key);
    const part = level === 'entries' ? Buffer.concat([Buffer.of(0, entry.length), entry]) : nodes[8 * level];
    return part && new Uint8Array(Buffer.concat(Array(width).fill(part)));
  });
  const large = new LogReader(store, verifier, { clock: testClock() });
  const root = foldNodes(rangeNodes(0, size).map(({ level }) => nodes[level] ?? assert.fail()));
  const checkpoint = { origin: verifier.name, size, root, extensions: [] };
  for (const index of [0, 2 ** 32 - 1, 2 ** 32, 2 ** 39 + 12_345, size - 256, size - 1]) {
    const proof = await large.inclusionProof(index, checkpoint);
    verifyInclusion({ index, size, leafHash: hashLeaf(entry), proof, root });
    assert.deepEqual(Buffer.from(await large.entry(index, checkpoint)), entry);
  }
  for (const oldSize of [2 ** 31 + 1, 2 ** 32, 2 ** 39 - 1, size - 1]) {
    const oldRoot = foldNodes(rangeNodes(0, oldSize).map(({ level }) => nodes[level] ?? assert.fail()));
    const proof = await large.consistencyProof(oldSize, checkpoint);
    verifyConsistency({ oldSize, newSize: size, oldRoot, newRoot: root, proof });
  }
  const seen: number[] = [];
  for await (const { index } of large.entries(size - 300, size, checkpoint)) seen.push(index);
  assert.deepEqual([seen[0], seen.length, seen.at(-1)], [size - 300, 300, size - 1]);
});
