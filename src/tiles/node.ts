/** Where the hash of a tree node is to be found: tiles hold every eighth level only. */

import type { Node } from '../merkle/index.ts';
import { checkSize, tileWidth } from './growth.ts';
import { TILE_WIDTH, type Tile } from './tile.ts';

/** Levels of the tree between two levels of tiles: 256 = 2^8. */
const TILE_HEIGHT = 8;

/** Hashes [start, end) of a tile, counted in hashes. */
export interface TileSlice {
  readonly tile: Tile;
  readonly start: number;
  readonly end: number;
}

/**
 * The slice of a tile whose `rootOf` is the node, in a tree of this size: 2^(level mod 8) hashes of tile level
 * floor(level / 8). The tile has the width that is served at this size. Throws `limit` for a size that is none, and
 * RangeError for a node that this tree does not contain whole.
 */
export function tileOfNode(node: Node, size: number): TileSlice {
  checkSize(size);
  // Compared as counts of nodes: the node's end in entries may be beyond 2^53.
  const inTree = Number.isInteger(node.index) && node.index >= 0 && node.index < Math.floor(size / 2 ** node.level);
  if (!inTree || !Number.isInteger(node.level) || node.level < 0) {
    throw new RangeError(`a tree of size ${size} has no node ${node.index} on level ${node.level}`);
  }
  const level = Math.floor(node.level / TILE_HEIGHT);
  const span = 2 ** (node.level % TILE_HEIGHT);
  const first = node.index * span;
  const n = Math.floor(first / TILE_WIDTH);
  const start = first % TILE_WIDTH;
  return { tile: { level, n, width: tileWidth(level, n, size) }, start, end: start + span };
}
