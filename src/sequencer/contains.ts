/** What a log that was loaded again contains of what this writer knew before (DESIGN §5, "Was it committed?"). */

import { SteleError } from '../errors.ts';
import { equalBytes, HASH_SIZE, type Hash } from '../merkle/index.ts';
import type { ReadableStore } from '../store/index.ts';
import type { BatchRecord } from './batch.ts';
import type { LogState } from './state.ts';
import { VerifiedTiles } from './verified-tiles.ts';

/** The loaded log must contain what we know was committed, and with it all that was signed. Throws `refused`. */
export async function checkContains(
  publicStore: ReadableStore,
  { published, edge, boundaries }: LogState,
  tree: { readonly size: number; readonly root: Hash },
): Promise<void> {
  const { size } = published.checkpoint;
  const root =
    tree.size <= size
      ? await new VerifiedTiles(publicStore, size, edge).rootAt(tree.size)
      : boundaries.find((boundary) => boundary.size === tree.size)?.root;
  if (root !== undefined && equalBytes(root, tree.root)) return;
  throw new SteleError(
    'refused',
    `the published log of size ${size} does not contain the tree of size ${tree.size} that this log had before: it has forked or a store was replaced; nothing more is signed, see \`stele recover\``,
  );
}

/** Whether the fresh entries of a record are in the loaded log at the very place they were meant for. */
export async function isLogged(
  publicStore: ReadableStore,
  { window, published, edge }: LogState,
  { base: { size: start }, size: end, leafHashes }: BatchRecord,
): Promise<boolean> {
  if (start >= window.start) return end <= window.end && equalBytes(window.hashes(start, end), leafHashes);
  // Before the window all is published; and if ours was committed, it was published as a whole.
  const { size } = published.checkpoint;
  if (end > size) return false;
  const tiles = new VerifiedTiles(publicStore, size, edge);
  for await (const { start: at, hashes } of tiles.leafHashes(start, end)) {
    const from = (at - start) * HASH_SIZE;
    if (!equalBytes(hashes, leafHashes.subarray(from, from + hashes.length))) return false;
  }
  return true;
}
