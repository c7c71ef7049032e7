/**
 * Publication (DESIGN §5): tiles and bundles, then a signed checkpoint by compare-and-swap.
 *
 * The order is the promise of the log: every byte that a checkpoint needs is in place before it is signed, and only a
 * committed tree, at a record's end, is ever signed.
 */

import { isSteleError, SteleError } from '../errors.ts';
import { equalBytes } from '../merkle/index.ts';
import { addSignatures, formatCheckpoint, openCheckpoint, type Signer, signNote } from '../note/index.ts';
import { type ETag, metaFor, type NewObject } from '../store/index.ts';
import { growth, tilePath } from '../tiles/index.ts';
import { replaceCheckpoint, requireCheckpoint, type StoredCheckpoint } from './checkpoints.ts';
import type { CommitDependencies } from './commit.ts';
import { type RetryDependencies, retrying } from './retry.ts';
import { type Boundary, bundlePieces, type LogState, settlePublished } from './state.ts';

/** Adds cosignatures to a signed checkpoint until the policy's quorum holds; throws `unreachable` where it cannot yet. */
export type Cosign = (note: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

export interface PublishDependencies extends CommitDependencies, RetryDependencies {
  readonly signer: Signer;
  readonly cosign: Cosign | undefined;
}

export type PublishResult =
  | { readonly kind: 'published'; readonly objects: number; readonly bytes: number }
  /** Another writer has done it. */
  | { readonly kind: 'found' }
  /** A larger checkpoint stands there: load again, and check that it contains the committed tree of `state`. */
  | { readonly kind: 'overtaken' };

/**
 * Publishes the committed tree that ends at `target`, one of the state's boundaries (or the published tree itself, to
 * refresh its signatures).
 */
export async function publish(
  deps: PublishDependencies,
  state: LogState,
  target: Pick<Boundary, 'size' | 'root'>,
): Promise<PublishResult> {
  // What may stand at `checkpoint` while this runs: commits tell of publications too, and then forget what lies below.
  const before = state.published;
  const known = [before.checkpoint, ...state.boundaries];

  // 1. What the new size needs and the published one did not. Immutable and equal for every writer, so several may
  //    write them at once, again after a crash, or for nothing.
  const { objects, bytes } = objectsOf(state, target.size);
  const published: PublishResult = { kind: 'published', objects: objects.length, bytes };
  await retrying(deps, `writing ${objects.length} tiles and bundles`, () => createAll(deps, objects));

  // 2. Sign. The tree is committed, hence part of the only history there is: no two roots of one size can meet here.
  const text = formatCheckpoint({ origin: deps.signer.name, size: target.size, root: target.root, extensions: [] });
  let note = await signNote(text, [deps.signer]);
  const { cosign } = deps;
  if (cosign !== undefined) note = await retrying(deps, 'collecting cosignatures', () => cosign(note, deps.signal));

  // 3. Make it visible, by compare-and-swap against the version we know: an older tree never replaces a newer one.
  //    A rival may have published it, or more, while the objects were written.
  if (state.published !== before && state.published.checkpoint.size >= target.size) return published;
  for (let expected = state.published.etag; ; ) {
    const now = await swapOrRead(deps, note, expected);
    const { size, root } = now.checkpoint;
    const sameTree = size === target.size && equalBytes(root, target.root);
    if (sameTree) {
      const merged = addSignatures(now.checkpoint.bytes, note); // another writer's cosignatures are kept
      if (equalBytes(merged, now.checkpoint.bytes)) {
        settlePublished(state, { ...now, at: deps.clock.now() });
        return published;
      }
      note = merged;
    } else if (size > target.size) {
      return { kind: 'overtaken' };
    } else if (!known.some((tree) => tree.size === size && equalBytes(tree.root, root))) {
      throw new SteleError(
        'refused',
        `the checkpoint in ${deps.publicStore.url} (size ${size}) is signed by this log and is not part of its history (publishing size ${target.size}): this log has forked or a store was replaced; nothing more is signed, see \`stele recover\``,
      );
    }
    expected = now.etag;
  }
}

/**
 * As `publish`, of a tree whose last record is another writer's: that one has most likely published it by now. One read
 * tells; to be told by writing it all again would cost two requests an object.
 */
export async function takeOver(
  deps: PublishDependencies,
  state: LogState,
  target: Pick<Boundary, 'size' | 'root'>,
): Promise<PublishResult> {
  const known = [state.published.checkpoint, ...state.boundaries];
  const now = await retrying(deps, 'reading the checkpoint', () => requireCheckpoint(deps.publicStore, deps.verifier));
  const { size, root } = now.checkpoint;
  // Commits went on during the read, and may have told of publications, too.
  const isOurs = [...known, ...state.boundaries].some((tree) => tree.size === size && equalBytes(tree.root, root));
  if (isOurs && size > state.published.checkpoint.size) settlePublished(state, { ...now, at: deps.clock.now() });
  if (state.published.checkpoint.size >= target.size) return { kind: 'found' };
  // Smaller and not ours: for the swap to refuse.
  return size > target.size ? { kind: 'overtaken' } : publish(deps, state, target);
}

/** Puts `note` in the place of the version `expected`. Lost, or unknown: what stands there now decides. */
function swapOrRead(deps: PublishDependencies, note: Uint8Array, expected: ETag): Promise<StoredCheckpoint> {
  return retrying(deps, 'replacing the checkpoint', async () => {
    try {
      const etag = await replaceCheckpoint(deps.publicStore, note, expected);
      return { checkpoint: openCheckpoint(note, deps.verifier), etag };
    } catch (cause) {
      if (!isSteleError(cause, 'precondition-failed', 'outcome-unknown')) throw cause;
      const now = await requireCheckpoint(deps.publicStore, deps.verifier);
      if (now.etag !== expected || equalBytes(now.checkpoint.bytes, note)) return now;
      throw new SteleError('unreachable', `the checkpoint is what it was: ${cause.message}`, { cause });
    }
  });
}

/** An unknown outcome of an immutable create is settled by creating again: the same bytes are there, or go there. */
async function createAll(deps: PublishDependencies, objects: readonly NewObject[]): Promise<void> {
  try {
    await deps.publicStore.createAll(objects);
  } catch (error) {
    if (!isSteleError(error, 'outcome-unknown')) throw error;
    throw new SteleError('unreachable', error.message, { cause: error });
  }
}

function objectsOf(state: LogState, size: number): { objects: NewObject[]; bytes: number } {
  const { tiles, bundles } = growth(state.published.checkpoint.size, size);
  const objects: NewObject[] = [];
  let bytes = 0;
  for (const tile of bundles) {
    const key = tilePath(tile);
    const pieces = bundlePieces(state.segments, tile);
    for (const piece of pieces) bytes += piece.length;
    objects.push({ key, bytes: pieces, meta: metaFor(key) });
  }
  for (const tile of tiles) {
    const key = tilePath(tile);
    const hashes = state.edge.tileBytes(tile); // a copy: the edge moves on while it is written
    bytes += hashes.length;
    objects.push({ key, bytes: hashes, meta: metaFor(key) });
  }
  return { objects, bytes };
}
