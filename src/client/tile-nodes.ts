/** The nodes of the tree that a tile stands for: its hashes and the full subtrees above them, hashed once for all proofs. */

import { HASH_SIZE, type Hash, hashLevel } from '../merkle/index.ts';

/** By height above the tile's hashes, which are the first; each level packed. A full tile has nine, of one root. */
export type TileNodes = readonly [Uint8Array, ...Uint8Array[]];

export function tileNodes(hashes: Uint8Array): TileNodes {
  const levels: [Uint8Array, ...Uint8Array[]] = [hashes];
  let below = hashes;
  while (below.length >= 2 * HASH_SIZE) {
    below = hashLevel(below.subarray(0, below.length - (below.length % (2 * HASH_SIZE))));
    levels.push(below);
  }
  return levels;
}

/** The root of hashes [start, end), which are a full subtree of the tile: counts as `tileOfNode` gives them. A copy. */
export function nodeIn(nodes: TileNodes, start: number, end: number): Hash {
  const span = end - start;
  const at = (start / span) * HASH_SIZE;
  const hash = nodes[Math.log2(span)]?.slice(at, at + HASH_SIZE);
  if (hash?.length !== HASH_SIZE) throw new RangeError(`[${start}, ${end}) is no full subtree of the tile`);
  return hash;
}
