/**
 * Recover, third step: the whole tree, made from its entries from left to right, and held against every root that
 * anybody states. What the public store should have, and does not, comes out of it.
 *
 * One bundle at a time and the right edge are in memory, so a log of any size can be gone through.
 */

import { SteleError } from '../errors.ts';
import { equalBytes, HASH_SIZE, type Hash } from '../merkle/index.ts';
import type { ObjectStore } from '../store/index.ts';
import { edgeTiles, growth, TILE_WIDTH, type Tile, TileEdge, tilePath, tileWidth } from '../tiles/index.ts';
import { inOrder } from './in-order.ts';
import { agree, type Copies, type FoundBundle, readObject, storedWidths } from './recover-bundle.ts';
import type { History } from './recover-plan.ts';

/** An object of the public store that is to be written. */
export interface Mend {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Other bytes stand there; otherwise nothing does. */
  readonly damaged: boolean;
}

/** So much of the tree was made. */
export interface Stretch {
  readonly size: number;
  readonly root: Hash;
  /** What is to be mended since the stretch before. */
  readonly mends: readonly Mend[];
}

/** Entries of a stretch: a root is kept for each between looking and writing. */
const STRETCH = 4_096;
/** Bundles read at a time. */
const READ_AHEAD = 16;

export class TreeRebuild {
  readonly #publicStore: ObjectStore;
  readonly #copies: Copies;
  readonly #history: History;
  readonly #target: number;
  readonly #edge = TileEdge.empty();
  /** Milestones that were made. */
  #passed = 0;
  /** The first bundle that no tile confirms: what to name when a root does not come out. */
  #suspect: string | undefined;

  constructor(publicStore: ObjectStore, copies: Copies, history: History, target: number) {
    this.#publicStore = publicStore;
    this.#copies = copies;
    this.#history = history;
    this.#target = target;
  }

  /**
   * Everything up to the known size, the last stretch ending there. Throws `refused` where entries cannot be had, do not
   * make a stated root, or where objects beyond what is signed tell of another history.
   */
  async *stretches(): AsyncGenerator<Stretch, void> {
    const { known } = this.#history;
    this.#checkMilestones(0);
    let mends: Mend[] = [];
    const bundles = inOrder(0, Math.ceil(known / TILE_WIDTH), READ_AHEAD, (n) =>
      this.#copies.bundle(n, tileWidth('entries', n, known)),
    );
    let n = 0;
    for await (const found of bundles) {
      mends.push(...(await this.#append(n, found ?? this.#missing(n))));
      n += 1;
      const { size } = this.#edge;
      if (size % STRETCH === 0 && size < known) {
        yield { size, root: this.#edge.root(), mends };
        mends = [];
      }
    }
    yield { size: known, root: this.#edge.root(), mends };
  }

  async #append(n: number, found: FoundBundle): Promise<Mend[]> {
    const start = n * TILE_WIDTH;
    const end = start + found.hashes.length / HASH_SIZE;
    const mends: Mend[] = [];
    if (!found.confirmed) this.#suspect ??= tilePath({ level: 'entries', n, width: end - start });
    const { known } = this.#history;
    const stops = [...this.#ahead(end), this.#target, end].filter((size) => size > start && size <= end);
    for (const size of new Set(stops.sort((a, b) => a - b))) {
      this.#edge.append(found.hashes.subarray((this.#edge.size - start) * HASH_SIZE, (size - start) * HASH_SIZE));
      this.#checkMilestones(size);
      // The partial tiles that a checkpoint of this size needs; level 0 has its turn below, beside the bundle.
      const edge = size === this.#target ? edgeTiles(size) : size === known ? growth(this.#target, known).tiles : [];
      for (const tile of edge) if (tile.width < TILE_WIDTH) mends.push(...(await this.#compareUpper(tile)));
    }
    for (const tile of growth(start, end).tiles) {
      if (tile.width === TILE_WIDTH) mends.push(...(await this.#compareUpper(tile)));
    }
    mends.push(...(await this.#comparePairs(n, found)));
    this.#edge.release(end);
    return mends;
  }

  /** Sizes up to `end` that a root is stated for, and was not seen yet. */
  #ahead(end: number): number[] {
    const sizes: number[] = [];
    for (let next = this.#passed; ; next++) {
      const size = this.#history.milestones[next]?.size;
      if (size === undefined || size > end) return sizes;
      sizes.push(size);
    }
  }

  #checkMilestones(size: number): void {
    const { milestones } = this.#history;
    for (; milestones[this.#passed]?.size === size; this.#passed++) {
      const milestone = milestones[this.#passed];
      if (milestone === undefined || equalBytes(milestone.root, this.#edge.root())) continue;
      const why =
        this.#suspect === undefined
          ? 'though every bundle is what its tile says: these are two histories, so the stores do not belong together, or one was restored and went on; put those back that belong together'
          : `and ${this.#suspect}, which no tile confirms, may be why: it is damaged, or its tile is, and there is no good copy; name a mirror that has it with --from URL`;
      throw new SteleError(
        'refused',
        `entries 0 to ${size - 1} do not make the root that ${milestone.statedBy} states for size ${size}, ${why}`,
      );
    }
  }

  #missing(n: number): never {
    const width = tileWidth('entries', n, this.#history.known);
    const first = n * TILE_WIDTH;
    throw new SteleError(
      'refused',
      `entries ${first} to ${first + width - 1} are lost: ${tilePath({ level: 'entries', n, width })} is missing from ${this.#publicStore.url} or damaged, and there is no good copy; name a mirror that has it with --from URL`,
    );
  }

  /** A tile above level 0, which must be there if the target needs it, and right if it is there. */
  async #compareUpper(tile: Tile): Promise<Mend[]> {
    if (tile.level === 0 || tile.level === 'entries') return [];
    const bytes = this.#edge.tileBytes(tile);
    const stored = await readObject(this.#publicStore, tile);
    const end = (tile.n * TILE_WIDTH + tile.width) * TILE_WIDTH ** tile.level;
    if (stored !== undefined && !equalBytes(stored, bytes) && end > this.#history.committed) this.#contradicted(tile);
    return this.#mend(tile, bytes, stored);
  }

  /** Bundle n and the tile beside it, in every width that the target, or the whole history, needs. */
  async #comparePairs(n: number, found: FoundBundle): Promise<Mend[]> {
    const { known, signed, committed } = this.#history;
    const mends: Mend[] = [];
    const last = tileWidth('entries', n, known);
    for (const width of new Set([tileWidth('entries', n, this.#target), last])) {
      if (width === 0) continue;
      const tile: Tile = { level: 0, n, width };
      const bundle: Tile = { level: 'entries', n, width };
      const stored = width === last ? found.stored : await this.#readPair(tile, bundle);
      const end = n * TILE_WIDTH + width;
      const entries = found.bytes.subarray(0, found.spans[2 * width - 1]);
      const hashes = found.hashes.subarray(0, width * HASH_SIZE);
      // Below a signed size what is wrong is damaged. Beyond, a tile without its bundle may tell of another history.
      const wrongTile = stored.tile !== undefined && !equalBytes(stored.tile, hashes);
      const goodBundle = stored.bundle !== undefined && equalBytes(stored.bundle, entries);
      if (wrongTile && end > signed.size && !goodBundle) this.#contradicted(tile);
      mends.push(...this.#mend(tile, hashes, stored.tile), ...this.#mend(bundle, entries, stored.bundle));
    }
    if (n * TILE_WIDTH + last > committed) await this.#checkEveryWidth(n, found.hashes);
    return mends;
  }

  /** Where no root proves the entries, every tile that was ever published of them must agree. */
  async #checkEveryWidth(n: number, hashes: Uint8Array): Promise<void> {
    for (const width of await storedWidths(this.#publicStore, 0, n)) {
      const tile: Tile = { level: 0, n, width };
      const stored = await readObject(this.#publicStore, tile);
      if (stored !== undefined && !(stored.length === width * HASH_SIZE && agree(stored, hashes))) {
        this.#contradicted(tile);
      }
    }
  }

  async #readPair(tile: Tile, bundle: Tile): Promise<FoundBundle['stored']> {
    const [hashes, entries] = await Promise.all([
      readObject(this.#publicStore, tile),
      readObject(this.#publicStore, bundle),
    ]);
    return { tile: hashes, bundle: entries };
  }

  /** What is missing is written if the target needs it; what is damaged always, for a writer would trip over it. */
  #mend(tile: Tile, bytes: Uint8Array, stored: Uint8Array | undefined): Mend[] {
    const damaged = stored !== undefined;
    if (damaged && equalBytes(stored, bytes)) return [];
    const needed = tile.width === tileWidth(tile.level, tile.n, this.#target);
    return damaged || needed ? [{ key: tilePath(tile), bytes: bytes.slice(), damaged }] : [];
  }

  #contradicted(tile: Tile): never {
    throw new SteleError(
      'refused',
      `${tilePath(tile)} in ${this.#publicStore.url} lies beyond the signed size ${this.#history.signed.size} and is not what the entries make: it is of another history, or damaged, and nothing tells which; name a mirror that has it with --from URL`,
    );
  }
}
