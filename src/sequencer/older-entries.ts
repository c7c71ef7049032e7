/**
 * Entries that lie before the dedup window: what a writer asks when the window does not know a leaf hash.
 *
 * Whoever answers is not believed: each answer is held against the log before it counts, so a wrong one costs time and
 * never gives anybody a wrong index. A cache may be thrown away at any time (DESIGN §5).
 */

import { equalBytes, HASH_SIZE } from '../merkle/index.ts';
import { TILE_WIDTH } from '../tiles/index.ts';
import { inOrder } from './in-order.ts';
import type { VerifiedTiles } from './verified-tiles.ts';

export interface OlderEntries {
  /** The entries before this index are known. */
  readonly covered: number;
  /** The index of the first entry with this leaf hash among those that are known; a hint. */
  find(leafHash: Uint8Array): number | undefined;
  /**
   * `hashes`, packed, are those of the entries from `first` on; those from `covered` on become known. What begins beyond
   * `covered`, because everything was forgotten while it was on its way, is dropped: it is learned again with the rest.
   */
  add(first: number, hashes: Uint8Array): Promise<void>;
  /** Forgets everything: it was found to be wrong, or of another log. */
  forget(): void;
}

/** Tiles that are read at a time to confirm what was found. */
const TILES_AHEAD = 32;

/** What was said was not so: everything must be forgotten, and learned from the log again. */
export class Misled extends Error {}

/**
 * The first index of each entry that `older` knows, by the entry's place in `hashes`; only what the log confirms: `tiles`
 * of its published tree of `size`, which are made when there is something to confirm. Throws Misled when they do not.
 */
export async function findOlder(
  older: OlderEntries,
  hashes: Uint8Array,
  size: number,
  tiles: () => VerifiedTiles,
): Promise<ReadonlyMap<number, number>> {
  const found = new Map<number, number>();
  const { covered } = older;
  const hashOf = (i: number): Uint8Array => hashes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE);
  for (let i = 0; i < hashes.length / HASH_SIZE; i++) {
    const index = older.find(hashOf(i));
    if (index !== undefined) found.set(i, index);
  }
  if (older.covered < covered) throw new Misled('it was damaged, and forgot everything while it was asked');
  if (found.size > 0) await confirm(found, hashOf, size, tiles());
  return found;
}

/** Holds what was found against the log, reading each tile once however many of its entries were submitted again. */
async function confirm(
  found: ReadonlyMap<number, number>,
  hashOf: (i: number) => Uint8Array,
  size: number,
  tiles: VerifiedTiles,
): Promise<void> {
  for (const index of found.values()) {
    if (index >= size) throw new Misled(`it says that an entry is at ${index}, and the log has ${size}`);
  }
  const asked = [...Map.groupBy(found, ([, index]) => Math.floor(index / TILE_WIDTH))];
  const check = async (k: number): Promise<void> => {
    const [n = 0, claims = []] = asked[k] ?? [];
    const first = n * TILE_WIDTH;
    for await (const { hashes } of tiles.leafHashes(first, Math.min(size, first + TILE_WIDTH))) {
      for (const [i, index] of claims) {
        const at = (index - first) * HASH_SIZE;
        if (equalBytes(hashes.subarray(at, at + HASH_SIZE), hashOf(i))) continue;
        throw new Misled(`it says that an entry is at ${index}, where another one is`);
      }
    }
  };
  for await (const _ of inOrder(0, asked.length, TILES_AHEAD, check));
}

/** Teaches `older` all entries before `end` that it does not know yet, from the tiles. */
export async function learnOlder(
  older: OlderEntries,
  end: number,
  tiles: VerifiedTiles,
  onProgress: (covered: number) => void = () => {},
): Promise<void> {
  // Some tiles at a time: one transaction each would wait for the disk each time.
  const TILES = 64;
  let gathered: Uint8Array[] = [];
  let first = older.covered;
  const flush = async (): Promise<void> => {
    const hashes = Buffer.concat(gathered);
    gathered = [];
    await older.add(first, hashes);
    first += hashes.length / HASH_SIZE;
    onProgress(older.covered);
  };
  for await (const { hashes } of tiles.leafHashes(first, end)) {
    gathered.push(hashes);
    if (gathered.length === TILES) await flush();
  }
  if (gathered.length > 0) await flush();
}
