/** The right edge of a growing tree, from which a writer takes roots and the tiles it must publish. */

import { SteleError } from '../errors.ts';
import { EMPTY_ROOT, foldNodes, HASH_SIZE, type Hash, hashLevel } from '../merkle/index.ts';
import { checkSize, countOn, levelCount } from './growth.ts';
import { HashRun } from './hash-run.ts';
import { TILE_WIDTH, type Tile, tilePath } from './tile.ts';

/**
 * It reaches from `heldFrom`, what is published, to `size`, what is appended and may still be taken back.
 *
 * On each level the packed hashes are held from the start of the tile that entry `heldFrom` is in, or will be. These
 * are the bytes of every tile of `growth(heldFrom, s).tiles`, for every s from `heldFrom` to `size`: a tile's hashes
 * never change, and a partial tile is the start of the full one. So publication may lag behind the appends, and take
 * sizes that lie between.
 */
export class TileEdge {
  readonly #levels: HashRun[] = [];
  #heldFrom = 0;

  private constructor() {}

  static empty(): TileEdge {
    return new TileEdge();
  }

  /**
   * The edge of a tree of this size, whose `edgeTiles(size)` the caller has read. Throws `corrupt`, naming the tile,
   * when one has the wrong length. That the hashes are the right ones is for the caller to see: `root()` is computed
   * from all of them and nothing else.
   */
  static load(size: number, tileBytes: (tile: Tile) => Uint8Array): TileEdge {
    const edge = new TileEdge();
    for (let level = 0; level < levelCount(size); level++) {
      const width = countOn(level, size) % TILE_WIDTH;
      const first = countOn(level, size) - width;
      const run = new HashRun(first);
      edge.#levels.push(run);
      if (width > 0) run.push(checkedBytes({ level, n: first / TILE_WIDTH, width }, tileBytes));
    }
    edge.#heldFrom = size;
    return edge;
  }

  /** Entries of the tree, appended and not taken back. */
  get size(): number {
    return this.#levels[0]?.to ?? 0;
  }

  /** The size last released: tiles that a growth from here on needs are held. */
  get heldFrom(): number {
    return this.#heldFrom;
  }

  /**
   * Appends entries by their packed leaf hashes. Hashes inside full tiles are computed here, each once and all tiles of
   * a level together. Throws `limit` beyond 2^53−1 entries, with nothing appended.
   */
  append(leafHashes: Uint8Array): void {
    if (leafHashes.length % HASH_SIZE !== 0) throw new RangeError(`${leafHashes.length} bytes are not packed hashes`);
    checkSize(this.size + leafHashes.length / HASH_SIZE);
    let hashes = leafHashes;
    for (let level = 0; hashes.length > 0; level++) {
      const run = this.#level(level);
      const tilesBefore = Math.floor(run.to / TILE_WIDTH);
      run.push(hashes);
      const tiles = Math.floor(run.to / TILE_WIDTH);
      // A partial tile is never hashed into the level above (TILES-10).
      hashes = tileRoots(run.view(tilesBefore * TILE_WIDTH, tiles * TILE_WIDTH));
    }
  }

  /** The root of the tree: the peaks of every level's partial tile, highest level first, are those of the tree. */
  root(): Hash {
    const peaks = this.#levels.toReversed().flatMap((run) => run.peaks());
    return peaks.length > 0 ? foldNodes(peaks) : EMPTY_ROOT;
  }

  /** Takes back what was appended beyond `size`. Throws RangeError below `heldFrom` or above the present size. */
  truncate(size: number): void {
    this.#checkHeld(size);
    for (const [level, run] of this.#levels.entries()) run.truncate(countOn(level, size));
  }

  /** Drops what no growth from `size` on needs: `size` is published. Throws RangeError as `truncate`. */
  release(size: number): void {
    this.#checkHeld(size);
    for (const [level, run] of this.#levels.entries()) {
      const count = countOn(level, size);
      run.release(count - (count % TILE_WIDTH));
    }
    this.#heldFrom = size;
  }

  /** The bytes of a hash tile, a copy that stays. Throws RangeError for one that is not held, or not yet. */
  tileBytes(tile: Tile): Uint8Array {
    const run = tile.level === 'entries' ? undefined : this.#levels[tile.level];
    const first = tile.n * TILE_WIDTH;
    const end = first + tile.width;
    if (run === undefined || first < run.from || end > run.to) {
      throw new RangeError(`${tilePath(tile)} is not a hash tile between the sizes ${this.#heldFrom} and ${this.size}`);
    }
    return run.view(first, end).slice();
  }

  #level(level: number): HashRun {
    const known = this.#levels[level];
    if (known !== undefined) return known;
    const run = new HashRun(0);
    this.#levels.push(run);
    return run;
  }

  #checkHeld(size: number): void {
    if (Number.isSafeInteger(size) && size >= this.#heldFrom && size <= this.size) return;
    throw new RangeError(`${size} is not a size between ${this.#heldFrom}, what is held, and ${this.size}`);
  }
}

function checkedBytes(tile: Tile, tileBytes: (tile: Tile) => Uint8Array): Uint8Array {
  const bytes = tileBytes(tile);
  const expected = tile.width * HASH_SIZE;
  if (bytes.length === expected) return bytes;
  throw new SteleError(
    'corrupt',
    `${tilePath(tile)} has ${bytes.length} bytes instead of ${expected}; see \`stele fsck\``,
  );
}

/** The root of each full tile, all eight levels of the tree at once for all of them: tiles are as wide as aligned. */
function tileRoots(hashes: Uint8Array): Uint8Array {
  let level = hashes;
  for (let width = TILE_WIDTH; width > 1 && level.length > 0; width /= 2) level = hashLevel(level);
  return level;
}
