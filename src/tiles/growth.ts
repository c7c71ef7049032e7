/**
 * Which tiles a tree consists of, and which of them are new when it grows: data, computed from sizes alone.
 *
 * All rests on one number per level: a tree of s entries has floor(s / 256^l) hashes on level l (TILES-11). As 256^l
 * is a power of two, that division is exact for every s up to 2^53−1.
 */

import { SteleError } from '../errors.ts';
import { TILE_WIDTH, type Tile } from './tile.ts';

/** Throws `limit` unless `size` is a whole number of entries, 0 to 2^53−1. */
export function checkSize(size: number): void {
  if (Number.isSafeInteger(size) && size >= 0) return;
  throw new SteleError('limit', `${size} is not a tree size: sizes are whole numbers from 0 to 2^53-1`);
}

/** Hashes on this level, or entries, of a tree of this size. */
export function countOn(level: Tile['level'], size: number): number {
  return level === 'entries' ? size : Math.floor(size / TILE_WIDTH ** level);
}

/** Levels with at least one hash: 0 for the empty tree, 7 at most. */
export function levelCount(size: number): number {
  checkSize(size);
  let levels = 0;
  while (countOn(levels, size) > 0) levels += 1;
  return levels;
}

/** Width of tile n of this level in a tree of this size, 0 where it has none: what is served, and nothing beyond. */
export function tileWidth(level: Tile['level'], n: number, size: number): number {
  const count = countOn(level, size);
  const full = Math.floor(count / TILE_WIDTH);
  if (n < full) return TILE_WIDTH;
  return n === full ? count % TILE_WIDTH : 0;
}

/** Every tile and bundle that a tree of this size implies (TILES-11): level 0 up, left to right, then the bundles. */
export function impliedTiles(size: number): Iterable<Tile> {
  checkSize(size);
  return growingTiles(0, size);
}

/**
 * The partial tile at the end of each level, level 0 up; a level that ends in a full tile has none.
 *
 * Every entry is below exactly one of their hashes. So these tiles, 255 hashes a level at most, give the root, and are
 * all of the old tree that growing it further needs.
 */
export function edgeTiles(size: number): Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0; level < levelCount(size); level++) {
    const count = countOn(level, size);
    if (count % TILE_WIDTH > 0) tiles.push({ level, n: Math.floor(count / TILE_WIDTH), width: count % TILE_WIDTH });
  }
  return tiles;
}

/**
 * What a checkpoint of size `to` needs that one of size `from` did not: tiles level 0 up, bundles, each left to right.
 *
 * A partial tile that got wider is another object (TILES-13), so it is among them; sizes in between leave no trace.
 * Nothing for equal sizes. Throws `limit` when `from` is above `to`.
 */
export function growth(from: number, to: number): { tiles: Tile[]; bundles: Tile[] } {
  checkSize(from);
  checkSize(to);
  if (from > to) throw new SteleError('limit', `a log does not shrink: ${from} entries cannot grow to ${to}`);
  const tiles: Tile[] = [];
  const bundles: Tile[] = [];
  for (const tile of growingTiles(from, to)) (tile.level === 'entries' ? bundles : tiles).push(tile);
  return { tiles, bundles };
}

/**
 * Whether this is a partial tile or bundle whose full one a tree of this size has. Only then may it be deleted, and
 * only once the full tile and the full bundle are there to be served (TILES-13).
 */
export function isSuperseded(tile: Tile, size: number): boolean {
  checkSize(size);
  return tile.width < TILE_WIDTH && tileWidth(tile.level, tile.n, size) === TILE_WIDTH;
}

function* growingTiles(from: number, to: number): Generator<Tile> {
  for (let level = 0; level < levelCount(to); level++) yield* growingOn(level, from, to);
  yield* growingOn('entries', from, to);
}

function* growingOn(level: Tile['level'], from: number, to: number): Generator<Tile> {
  const before = countOn(level, from);
  const after = countOn(level, to);
  // A level that gained no hash gained no tile, though it may end in a partial one.
  if (before === after) return;
  const full = Math.floor(after / TILE_WIDTH);
  for (let n = Math.floor(before / TILE_WIDTH); n < full; n++) yield { level, n, width: TILE_WIDTH };
  if (after % TILE_WIDTH > 0) yield { level, n: full, width: after % TILE_WIDTH };
}
