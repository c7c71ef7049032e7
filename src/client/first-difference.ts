import { HASH_SIZE } from '../merkle/index.ts';

/** Position of the first hash in which two packed lists differ; −1 when they are equal. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  const [left, right] = [new DataView(a.buffer, a.byteOffset), new DataView(b.buffer, b.byteOffset)];
  // Four bytes at a time: fsck compares every hash of a log.
  for (let at = 0; at < length; at += 4) {
    if (left.getUint32(at) !== right.getUint32(at)) return Math.floor(at / HASH_SIZE);
  }
  return a.length === b.length ? -1 : length / HASH_SIZE;
}
