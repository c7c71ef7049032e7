import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DedupWindow, hashWords } from '../../src/sequencer/dedup-window.ts';

const SEED = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);

/** A hash of which only a few bits differ, so that equal ones, near misses and collisions of slots are common. */
function hashOf(value: number): Uint8Array {
  const hash = new Uint8Array(32).fill(7);
  hash[31] = value % 256;
  hash[16] = Math.floor(value / 256);
  return hash;
}

const find = (window: DedupWindow, value: number): number | undefined => window.find(hashWords(hashOf(value)), 0);
const push = (window: DedupWindow, value: number): void => window.push(hashWords(hashOf(value)), 0);

test('the window finds the first index of every hash of at least its width, whatever was taken back between', () => {
  const command = fc.oneof(
    { weight: 8, arbitrary: fc.record({ push: fc.nat(300) }) },
    { weight: 2, arbitrary: fc.record({ find: fc.nat(300) }) },
    { weight: 1, arbitrary: fc.record({ back: fc.nat(100) }) },
    { weight: 1, arbitrary: fc.record({ release: fc.nat(30) }) },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.nat(2 ** 40),
      fc.array(command, { maxLength: 400 }),
      (capacity, first, commands) => {
        const window = new DedupWindow(capacity, first, SEED);
        const values: number[] = [];
        let released = 0; // what is published: truncation never goes below it
        for (const command of commands) {
          if ('find' in command) {
            const found = find(window, command.find);
            if (found !== undefined) assert.equal(values[found - first], command.find);
            else assert.equal(values.indexOf(command.find, window.start - first), -1);
          } else if ('push' in command) {
            push(window, command.push);
            values.push(command.push);
          } else if ('release' in command) {
            released = Math.max(released, values.length - command.release);
            window.release(first + released);
          } else {
            const to = Math.max(released, values.length - command.back);
            window.truncate(first + to);
            values.length = to;
          }
          assert.equal(window.end, first + values.length);
        }
        assert.ok(released < window.start - first + 2 * capacity, 'no more is kept than a generation besides');
        const lowest = Math.max(0, released - capacity);
        const within = values.slice(lowest);
        for (const value of new Set(within)) {
          const found = find(window, value);
          assert.ok(found !== undefined, 'a hash within the window is found');
          assert.equal(values[found - first], value);
          assert.ok(found <= first + lowest + within.indexOf(value), 'at its first index within the window');
        }
        assert.equal(find(window, 301), undefined);
      },
    ),
    { numRuns: 300 },
  );
});

test('hashes that share 128 bits or more are distinct (DEDUP-9)', () => {
  const window = new DedupWindow(100, 0, SEED);
  push(window, 1);
  assert.equal(find(window, 1), 0);
  assert.equal(find(window, 2), undefined);
  push(window, 2);
  assert.equal(find(window, 2), 1);
});

test('packed hashes at an odd offset are read right', () => {
  const packed = new Uint8Array(1 + 64);
  packed.set(hashOf(5), 1);
  packed.set(hashOf(6), 33);
  const window = new DedupWindow(100, 10, SEED);
  const words = hashWords(packed.subarray(1));
  window.push(words, 0);
  window.push(words, 1);
  assert.equal(find(window, 5), 10);
  assert.equal(find(window, 6), 11);
});

test('a window that has grown finds the first of equal hashes, those that crowd together and those that do not', () => {
  const count = 20_000;
  const hashes = Buffer.alloc(count * 32);
  for (let i = 0; i < count; i++) {
    const value = i % 15_000; // the last quarter comes for the second time
    hashes.writeUInt32LE(value % 5_000, i * 32); // three of each begin alike, and want the same place
    hashes.writeUInt32LE(value, i * 32 + 28);
  }
  const words = hashWords(hashes);
  const window = new DedupWindow(count, 1_000, SEED);
  const knows = (pushed: number): void => {
    for (let k = 0; k < count; k++) {
      const first = k % 15_000;
      assert.equal(window.find(words, k), first < pushed ? 1_000 + first : undefined, `hash ${k} of ${pushed}`);
    }
  };
  for (let i = 0; i < count; i++) {
    window.push(words, i);
    const isAtDoubling = (i & (i + 1)) === 0 || (i & (i - 1)) === 0;
    if (isAtDoubling) knows(i + 1);
  }
  knows(count);
  // What is taken back from among equal ones, and what comes in its place, in another order.
  window.truncate(1_000 + 9_000);
  knows(9_000);
  for (let i = 14_999; i >= 9_000; i--) window.push(words, i);
  for (let k = 0; k < 15_000; k++) {
    assert.equal(window.find(words, k), 1_000 + (k < 9_000 ? k : 9_000 + 14_999 - k), `hash ${k}`);
  }
  window.truncate(1_000);
  knows(0);
});
