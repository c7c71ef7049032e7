import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { suite, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { type BatchHasher, batchHasher } from '../../src/merkle/batch.ts';
import { hashLeaf, hashLeaves, hashLevel, hashNode, kernelModule } from '../../src/merkle/index.ts';
import { type Kernel, openKernel } from '../../src/merkle/kernel.ts';
import * as inNode from '../../src/merkle/sha256-node.ts';
import * as onTheWeb from '../../src/merkle/sha256-web.ts';
import { naiveLeaf, naiveNode, naiveSha256 } from './naive-tree.ts';

const withoutKernel = () => undefined;

/** The kernel itself: elsewhere one that hashes wrongly would be replaced unnoticed. */
function byKernelAlone(): BatchHasher {
  const kernel = openKernel();
  assert.ok(kernel !== undefined);
  return {
    hashLeaves: (bytes, spans) => {
      const hashes = new Uint8Array(16 * spans.length);
      kernel.hashMessages({ prefix: 0, bytes, spans }, 65_535, hashes);
      return hashes;
    },
    hashLevel: (children) => {
      const parents = new Uint8Array(children.length / 2);
      kernel.hashPairs(children, parents);
      return parents;
    },
  };
}

const guarded: readonly { readonly name: string; readonly hasher: BatchHasher }[] = [
  { name: 'as exported', hasher: { hashLeaves, hashLevel } },
  { name: 'in Node without a kernel', hasher: batchHasher(inNode, withoutKernel) },
  { name: 'on the Web with the kernel', hasher: batchHasher(onTheWeb, openKernel) },
  { name: 'on the Web without a kernel', hasher: batchHasher(onTheWeb, withoutKernel) },
];
const hashers = [...guarded, { name: 'by the kernel alone', hasher: byKernelAlone() }];

/** Bytes that differ everywhere, the same in every run. */
const bytes = new Uint8Array(70_000);
for (let i = 0; i < bytes.length; i += 32) bytes.set(hash('sha256', `block ${i}`, 'buffer').subarray(0, 70_000 - i), i);

const manyBytes = new Uint8Array(5 * bytes.length);
for (let at = 0; at < manyBytes.length; at += bytes.length) manyBytes.set(bytes, at);

/** Compared one by one, to say which one differs. */
function assertLeaves(actual: Uint8Array, bytes: Uint8Array, spans: Uint32Array): void {
  assert.equal(actual.length, 16 * spans.length);
  for (let i = 0; i < spans.length / 2; i++) {
    const expected = naiveLeaf(bytes.subarray(spans[2 * i], spans[2 * i + 1]));
    if (Buffer.compare(actual.subarray(32 * i, 32 * i + 32), expected) === 0) continue;
    assert.fail(`message ${i}, [${spans[2 * i]}, ${spans[2 * i + 1]}), has a wrong hash`);
  }
}

suite('hashing', () => {
  for (const { name, hasher } of hashers) {
    test(`every length from 0 to 5,000 bytes hashes as node:crypto hashes it, ${name}`, () => {
      // Each at another place, so that every alignment has its turn.
      const spans = Uint32Array.from({ length: 2 * 5001 }, (_, i) => {
        const length = Math.floor(i / 2);
        return ((length * 13) % 65_000) + (i % 2) * length;
      });
      assertLeaves(hasher.hashLeaves(bytes, spans), bytes, spans);
    });

    test(`mixed lengths in any order hash as node:crypto hashes them, ${name}`, () => {
      const length = fc.oneof(
        fc.constantFrom(0, 54, 55, 56, 62, 63, 64, 118, 119, 120, 127, 128),
        fc.nat({ max: 5000 }),
      );
      const span = fc.tuple(fc.nat({ max: 65_000 }), length).map(([start, length]) => [start, start + length]);
      fc.assert(
        fc.property(fc.array(span, { maxLength: 40 }), fc.nat({ max: 20 }), (list, offset) => {
          const view = bytes.subarray(offset);
          const spans = Uint32Array.from(list.flat(), (at) => Math.min(at, view.length));
          assertLeaves(hasher.hashLeaves(view, spans), view, spans);
        }),
        { numRuns: 60 },
      );
    });

    test(`a level of any width hashes as node:crypto hashes it, ${name}`, () => {
      for (const width of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 127, 128, 1000, 5000]) {
        const level = manyBytes.subarray(0, 64 * width);
        const parents = hasher.hashLevel(level);
        assert.equal(parents.length, 32 * width);
        for (let i = 0; i < width; i++) {
          const expected = naiveNode(level.subarray(64 * i, 64 * i + 32), level.subarray(64 * i + 32, 64 * i + 64));
          assert.deepEqual(parents.slice(32 * i, 32 * i + 32), expected, `width ${width}, node ${i}`);
        }
      }
    });

    test(`a batch larger than the kernel's memory, with long entries among short ones, hashes right, ${name}`, () => {
      const large = new Uint8Array(3_000_000);
      for (let at = 0; at < large.length; at += bytes.length) {
        large.set(bytes.subarray(0, Math.min(bytes.length, large.length - at)), at);
      }
      const list: number[] = [];
      for (let at = 0, i = 0; i < 10_000 && at < 2_900_000; i++) {
        const end = at + (i % 331 === 330 ? 65_535 : (i * 7) % 150);
        list.push(at, end);
        at = end + 2;
      }
      // And far apart: at both ends, empty ones too.
      list.push(0, 0, 2_999_990, 3_000_000, 3_000_000, 3_000_000, 5, 5, 0, 100, 1, 2, 2_000_000, 2_000_001);
      const spans = Uint32Array.from(list);
      assertLeaves(hasher.hashLeaves(large, spans), large, spans);
    });
  }

  test('one hash at a time is the same as node:crypto gives', () => {
    for (const length of [0, 1, 63, 64, 65, 1000, 65_535]) {
      const message = bytes.subarray(0, length);
      assert.deepEqual(inNode.sha256(message), naiveSha256(message));
      assert.deepEqual(onTheWeb.sha256(message), naiveSha256(message));
      assert.deepEqual(hashLeaf(message), naiveLeaf(message));
    }
    const [left, right] = [bytes.subarray(0, 32), bytes.subarray(40, 72)];
    assert.deepEqual(hashNode(left, right), naiveNode(left, right));
  });

  test('spans that are not within the bytes, and hashes that are not in pairs, are refused', () => {
    for (const spans of [[0], [0, 11], [5, 4], [0, 3, 9, 12], [0, 1, 1, 2, 2, 3, 4_294_967_295, 4_294_967_295]]) {
      for (const { hasher } of guarded) {
        assert.throws(() => hasher.hashLeaves(bytes.subarray(0, 10), Uint32Array.from(spans)), RangeError);
      }
    }
    for (const length of [32, 63, 65, 96]) assert.throws(() => hashLevel(bytes.subarray(0, length)), RangeError);
  });

  test('hashes are the caller’s own: another batch does not change them', () => {
    const spans = Uint32Array.of(0, 10, 10, 20, 20, 30, 30, 40);
    const first = hashLeaves(bytes, spans);
    const copy = first.slice();
    hashLeaves(
      bytes,
      spans.map((at) => at + 1),
    );
    assert.deepEqual(first, copy);
    assert.equal(first.buffer.byteLength, first.length);
  });

  test('the kernel is there in Node', () => {
    assert.ok(kernelModule() instanceof WebAssembly.Module);
    assert.ok(openKernel() !== undefined);
  });

  test('a kernel that hashes wrongly is found out, and not used', () => {
    const kernel = openKernel();
    assert.ok(kernel !== undefined);
    const spans = Uint32Array.of(0, 10, 10, 20, 20, 30, 30, 40);
    const level = bytes.subarray(0, 64 * 4);
    const wrong: Kernel[] = [
      { ...kernel, hashMessages: (_batch, _longest, hashes) => hashes.fill(7) },
      // Wrong for one last byte of 256.
      {
        ...kernel,
        hashPairs(children, parents) {
          kernel.hashPairs(children, parents);
          for (let at = 0; at < parents.length; at += 32) if (children[2 * at + 63] === level[63]) parents.fill(7, at);
        },
      },
    ];
    for (const one of wrong) {
      const hasher = batchHasher(inNode, () => one);
      assertLeaves(hasher.hashLeaves(bytes, spans), bytes, spans);
      assert.deepEqual(hasher.hashLevel(level), hashLevel(level));
    }
  });

  test('a worker thread hashes with the module it was handed, and where WebAssembly is refused without one', async () => {
    const expected = Buffer.from(hashLeaves(bytes.subarray(0, 100), Uint32Array.of(0, 9, 9, 40, 41, 100, 0, 1)));
    const handed = await askWorker({ module: kernelModule() });
    assert.deepEqual(handed, { sameModule: true, kernel: true, hashes: expected.toString('hex') });
    const refused = await askWorker({});
    assert.deepEqual(refused, { sameModule: false, kernel: false, hashes: expected.toString('hex') });
  });
});

function askWorker(data: { module?: WebAssembly.Module | undefined }): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./hash-worker.ts', import.meta.url), {
      workerData: { ...data, bytes: bytes.slice(0, 100) },
    });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
