/** One tile: its coordinates, and the path that is their only spelling. */

import { SteleError } from '../errors.ts';

/** Hashes in a full tile, entries in a full bundle (TILES-8). */
export const TILE_WIDTH = 256;

/** The highest level a path can name (TILES-5). A tree below 2^53 entries ends at level 6. */
export const MAX_LEVEL = 63;

/**
 * A tile of a log's tree, full or partial, or the entry bundle beside a level-0 tile.
 *
 * Hash i of tile n on level l covers the 256^l entries from (256n + i)·256^l on (TILES-9). A tile grows to the right:
 * the partial tile of width w holds the first w hashes of the full one, under a path of its own.
 *
 *     { level: 0, n: 1234067, width: 256 }    tile/0/x001/x234/067
 *     { level: 2, n: 0, width: 12 }           tile/2/000.p/12
 *     { level: 'entries', n: 5, width: 1 }    tile/entries/005.p/1
 */
export interface Tile {
  /** 0–63; or 'entries': the bundle with the entries that tile n of level 0 has the hashes of. */
  readonly level: number | 'entries';
  /** From the left of its level, 0–2^53−1. */
  readonly n: number;
  /** Hashes or entries, 1–256. Below 256 the tile is partial. */
  readonly width: number;
}

/** The path of a tile below the log's prefix (TILES-5 to TILES-7). Throws `limit` for coordinates that have none. */
export function tilePath(tile: Tile): string {
  const { level, n, width } = tile;
  if (!hasPath(tile)) throw new SteleError('limit', `no tile has level ${level}, index ${n} and width ${width}`);
  const digits = String(n);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').replace(/\d{3}(?=\d)/g, 'x$&/');
  return `tile/${level}/${groups}${width < TILE_WIDTH ? `.p/${width}` : ''}`;
}

/** No index above 2^53−1 needs more than five groups before the last. */
const PATH = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/;

/**
 * The tile that a path names; the inverse of `tilePath`. Throws `malformed` for everything that `tilePath` never
 * returns (TILES-19): other paddings and groups, a level above 63, a width of 0 or 256, an index above 2^53−1.
 */
export function parseTilePath(path: string): Tile {
  const [, level = '', groups = '', width] = PATH.exec(path) ?? [];
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    n: Number(groups.replace(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  // What the pattern lets through with leading zeros or out of range does not come back as the same text.
  if (level === '' || !hasPath(tile) || tilePath(tile) !== path) {
    const shown = path.length > 100 ? `${path.slice(0, 100)}…` : path;
    throw new SteleError(
      'malformed',
      `${JSON.stringify(shown)} is not the path of a tile; one looks like tile/0/x001/067.p/12`,
    );
  }
  return tile;
}

function hasPath({ level, n, width }: Tile): boolean {
  const named = level === 'entries' || (Number.isInteger(level) && level >= 0 && level <= MAX_LEVEL);
  const wide = Number.isInteger(width) && width >= 1 && width <= TILE_WIDTH;
  return named && wide && Number.isSafeInteger(n) && n >= 0;
}
