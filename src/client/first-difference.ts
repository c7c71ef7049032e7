import { HASH_SIZE } from '../merkle/index.ts';

/** Position of the first hash in which two packed lists differ; −1 when they are equal. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return Math.floor(i / HASH_SIZE);
  }
  return a.length === b.length ? -1 : length / HASH_SIZE;
}
