/** Looking for an entry of which only the leaf hash is known, where there is no index: through all leaf hashes. */

import { equalBytes, HASH_SIZE, type Hash } from '../merkle/index.ts';
import type { Checkpoint } from '../note/index.ts';
import { TILE_WIDTH, type Tile, tileWidth } from '../tiles/index.ts';
import { readAhead } from './read-ahead.ts';

/** Tiles read at a time, 8 KiB each. */
const TILES_AHEAD = 16;

/** What it takes of a reader. */
interface Tiles {
  hashes(tile: Tile, checkpoint: Checkpoint): Promise<Uint8Array>;
}

/**
 * The index of the latest entry with this leaf hash in the checkpoint's tree, or undefined: 32 bytes are read of each
 * entry, the latest first, all verified. `onProgress` is told how many entries were looked at.
 */
export async function findLeaf(
  tiles: Tiles,
  leafHash: Hash,
  checkpoint: Checkpoint,
  onProgress: (looked: number, size: number) => void,
): Promise<number | undefined> {
  const last = Math.ceil(checkpoint.size / TILE_WIDTH) - 1;
  const places = (function* () {
    for (let n = last; n >= 0; n--) yield n;
  })();
  const read = async (n: number) => {
    const width = tileWidth(0, n, checkpoint.size);
    return { n, width, hashes: await tiles.hashes({ level: 0, n, width }, checkpoint) };
  };
  for await (const { n, width, hashes } of readAhead(places, () => TILES_AHEAD, read)) {
    for (let at = width - 1; at >= 0; at--) {
      if (equalBytes(hashes.subarray(HASH_SIZE * at, HASH_SIZE * (at + 1)), leafHash)) return n * TILE_WIDTH + at;
    }
    onProgress(checkpoint.size - n * TILE_WIDTH, checkpoint.size);
  }
  return undefined;
}
