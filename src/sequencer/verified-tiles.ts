/** Reading tiles of a published tree, each held against the checkpoint's root before it is used. */

import { isSteleError, SteleError } from '../errors.ts';
import { equalBytes, foldNodes, HASH_SIZE, type Hash, hashLeaves, rangeNodes, rootOf } from '../merkle/index.ts';
import type { ReadableStore } from '../store/index.ts';
import {
  type EntryRun,
  edgeTiles,
  type HashedRun,
  MAX_BUNDLE_SIZE,
  parseRun,
  TILE_WIDTH,
  type Tile,
  TileEdge,
  tileOfNode,
  tilePath,
} from '../tiles/index.ts';
import { inOrder } from './in-order.ts';

const corrupt = (key: string, what: string): SteleError =>
  new SteleError('corrupt', `${key} ${what}; nothing was written, see \`stele fsck\` and \`stele recover\``);

/** The right edge of the tree of this size, verified against `root`. Throws `corrupt` naming what is missing or wrong. */
export async function readEdge(store: ReadableStore, size: number, root: Hash): Promise<TileEdge> {
  const tiles = edgeTiles(size);
  const bytes = new Map<string, Uint8Array>();
  await Promise.all(tiles.map(async (tile) => bytes.set(tilePath(tile), await readTile(store, tile))));
  const edge = TileEdge.load(size, (tile) => bytes.get(tilePath(tile)) ?? new Uint8Array());
  if (!equalBytes(edge.root(), root)) {
    throw corrupt(
      tiles.map(tilePath).join(', '),
      `of ${store.url} do not hash to the root of the checkpoint of size ${size}`,
    );
  }
  return edge;
}

/** A hash tile's bytes, of the right length; the hashes in it are not verified. */
async function readTile(store: ReadableStore, tile: Tile): Promise<Uint8Array> {
  const key = tilePath(tile);
  const bytes = await readBounded(store, key, TILE_WIDTH * HASH_SIZE);
  if (bytes.length !== tile.width * HASH_SIZE) {
    throw corrupt(key, `of ${store.url} has ${bytes.length} bytes, not ${tile.width * HASH_SIZE}`);
  }
  return bytes;
}

/** Throws `corrupt` for an object that is missing, or longer than any of its kind. */
async function readBounded(store: ReadableStore, key: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const object = await store.get(key, { maxBytes });
    if (object !== undefined) return object.bytes;
  } catch (error) {
    if (!isSteleError(error, 'limit')) throw error;
    throw corrupt(key, `of ${store.url} has more than ${maxBytes} bytes`);
  }
  throw corrupt(key, `is missing from ${store.url}`);
}

/** The entries of the partial bundle at the end of the tree, verified; no bytes where the tree ends with a full one. */
export async function readEdgeBundle(store: ReadableStore, edge: TileEdge, size: number): Promise<EntryRun> {
  const width = size % TILE_WIDTH;
  if (width === 0) return { bytes: new Uint8Array(), spans: new Uint32Array(), length: 0 };
  const n = Math.floor(size / TILE_WIDTH);
  return readBundle(store, { level: 'entries', n, width }, edge.tileBytes({ level: 0, n, width }));
}

/** A bundle whose entries have these (verified, packed) leaf hashes. Throws `corrupt`. */
export async function readBundle(store: ReadableStore, tile: Tile, leafHashes: Uint8Array): Promise<HashedRun> {
  const { width } = tile;
  const key = tilePath(tile);
  const bytes = await readBounded(store, key, MAX_BUNDLE_SIZE);
  let run: EntryRun;
  try {
    run = parseRun(bytes, width);
  } catch (cause) {
    throw corrupt(
      key,
      `of ${store.url} is not a bundle of ${width} entries: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
  if (!equalBytes(hashLeaves(bytes, run.spans), leafHashes)) {
    throw corrupt(key, `of ${store.url} does not hash to its tile`);
  }
  return { ...run, hashes: leafHashes };
}

/** Reads tiles of one published tree; each is verified once and kept while this reader lives. */
export class VerifiedTiles {
  readonly #store: ReadableStore;
  readonly #size: number;
  readonly #edge: TileEdge;
  readonly #verified = new Map<string, Promise<Uint8Array>>();

  /** `edge` is the verified edge of the tree of `size`. */
  constructor(store: ReadableStore, size: number, edge: TileEdge) {
    this.#store = store;
    this.#size = size;
    this.#edge = edge;
  }

  /** Leaf hashes of entries [start, end), a level-0 tile at a time, in order. */
  async *leafHashes(start: number, end: number): AsyncGenerator<{ start: number; hashes: Uint8Array }> {
    const READ_AHEAD = 32;
    const tiles = { first: Math.floor(start / TILE_WIDTH), end: Math.ceil(end / TILE_WIDTH) };
    yield* inOrder(tiles.first, tiles.end, READ_AHEAD, async (n) => {
      const base = n * TILE_WIDTH;
      const from = Math.max(start, base);
      const to = Math.min(end, base + TILE_WIDTH);
      const hashes = await this.#tile(0, n, false);
      return { start: from, hashes: hashes.subarray((from - base) * HASH_SIZE, (to - base) * HASH_SIZE) };
    });
  }

  /** The root of the tree when it had `size` entries. */
  async rootAt(size: number): Promise<Hash> {
    if (size === 0) return rootOf(new Uint8Array());
    const hashes = await Promise.all(
      rangeNodes(0, size).map(async (node) => {
        const { tile, start, end } = tileOfNode(node, this.#size);
        if (tile.level === 'entries') throw new RangeError('a node is in a hash tile');
        const bytes = await this.#tile(tile.level, tile.n, true);
        return rootOf(bytes.subarray(start * HASH_SIZE, end * HASH_SIZE));
      }),
    );
    return foldNodes(hashes);
  }

  /** Tile (level, n) as served at this size. Upper levels are kept; level 0 only where asked. */
  #tile(level: number, n: number, keep: boolean): Promise<Uint8Array> {
    const key = `${level}/${n}`;
    const known = this.#verified.get(key);
    if (known !== undefined) return known;
    const tile = this.#read(level, n);
    if (keep || level > 0) this.#verified.set(key, tile);
    return tile;
  }

  async #read(level: number, n: number): Promise<Uint8Array> {
    const onLevel = Math.floor(this.#size / TILE_WIDTH ** level);
    const width = Math.min(TILE_WIDTH, onLevel - n * TILE_WIDTH);
    const tile: Tile = { level, n, width };
    if ((n + 1) * TILE_WIDTH > onLevel) return this.#edge.tileBytes(tile);
    const bytes = await readTile(this.#store, tile);
    const parent = await this.#tile(level + 1, Math.floor(n / TILE_WIDTH), true);
    const at = (n % TILE_WIDTH) * HASH_SIZE;
    if (!equalBytes(rootOf(bytes), parent.subarray(at, at + HASH_SIZE))) {
      throw corrupt(tilePath(tile), `of ${this.#store.url} does not hash to what the tile above it says`);
    }
    return bytes;
  }
}
