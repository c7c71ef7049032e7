/** `stele gc`: deletes partial tiles and bundles whose full ones are served (TILES-13), after a grace. */

import type { Clock } from '../clock.ts';
import type { SignedCheckpoint, Verifier } from '../note/index.ts';
import type { ObjectStore } from '../store/index.ts';
import { isSuperseded, TILE_WIDTH, tilePath } from '../tiles/index.ts';
import { requireCheckpoint } from './checkpoints.ts';
import { listTiles } from './list-tiles.ts';

export interface CollectRequest {
  readonly publicStore: ObjectStore;
  readonly verifier: Verifier;
  readonly clock: Clock;
  /** How long the full object must have been there: readers may still hold an older checkpoint, in ms. */
  readonly graceMs: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (deleted: number) => void;
}

export interface CollectReport {
  readonly deleted: number;
  /** Partials that stay: current, within the grace, or with no full object beside them. */
  readonly kept: number;
  readonly checkpoint: SignedCheckpoint;
}

/** Interrupted at any point it has only deleted what may go; run again it goes on. */
export async function collectPartials(request: CollectRequest): Promise<CollectReport> {
  const { publicStore, verifier, clock, graceMs, signal, onProgress } = request;
  const { checkpoint } = await requireCheckpoint(publicStore, verifier);
  let deleted = 0;
  let kept = 0;
  let full: { key: string; modified: number } | undefined;
  for await (const { key, modified, tile } of listTiles(publicStore)) {
    if (signal?.aborted) break;
    if (tile.width === TILE_WIDTH) {
      full = { key, modified }; // in key order, the partials of a tile follow the full one
      continue;
    }
    const served = full?.key === tilePath({ ...tile, width: TILE_WIDTH }) && clock.now() - full.modified >= graceMs;
    if (served && isSuperseded(tile, checkpoint.size)) {
      await publicStore.delete(key);
      deleted += 1;
      onProgress?.(deleted);
    } else {
      kept += 1;
    }
  }
  return { deleted, kept, checkpoint };
}
