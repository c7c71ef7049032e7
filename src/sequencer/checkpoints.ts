/** Reading and writing the public checkpoint: the authority that every decision of the writer is taken from. */

import { SteleError } from '../errors.ts';
import { equalBytes } from '../merkle/index.ts';
import { openCheckpoint, type SignedCheckpoint, type Verifier } from '../note/index.ts';
import { type ETag, metaFor, type ObjectStore, type ReadableStore } from '../store/index.ts';

export const CHECKPOINT_KEY = 'checkpoint';
export const MAX_CHECKPOINT_BYTES = 2 ** 20;

export interface StoredCheckpoint {
  readonly checkpoint: SignedCheckpoint;
  readonly etag: ETag;
}

/**
 * The log's own checkpoint, or undefined where there is none. Throws `refused` for one that is not ours. `verified`: one
 * whose signature need not be verified again, should it be this very note.
 */
export async function readCheckpoint(
  store: ReadableStore,
  verifier: Verifier,
  verified?: SignedCheckpoint,
): Promise<StoredCheckpoint | undefined> {
  const object = await store.get(CHECKPOINT_KEY, { maxBytes: MAX_CHECKPOINT_BYTES });
  if (object === undefined) return undefined;
  if (verified && equalBytes(object.bytes, verified.bytes)) return { checkpoint: verified, etag: object.etag };
  try {
    const checkpoint = openCheckpoint(object.bytes, verifier);
    // An extension line is not covered by every kind of signature and this log never writes one (DESIGN §6).
    if (checkpoint.extensions.length > 0) throw new SteleError('malformed', 'it has extension lines');
    return { checkpoint, etag: object.etag };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SteleError(
      'refused',
      `the checkpoint in ${store.url} is not one of this log, signed by ${verifier.name}: ${why}; nothing was written, see \`stele recover\``,
      { cause },
    );
  }
}

/** As `readCheckpoint`, where an absent one is refused: only `init` and `recover` create a checkpoint. */
export async function requireCheckpoint(
  store: ReadableStore,
  verifier: Verifier,
  verified?: SignedCheckpoint,
): Promise<StoredCheckpoint> {
  const found = await readCheckpoint(store, verifier, verified);
  if (found !== undefined) return found;
  throw new SteleError(
    'refused',
    `${store.url} has no checkpoint: a published log never loses it, so this store was emptied or is the wrong one; nothing was written, see \`stele recover\``,
  );
}

/** Compare-and-swap of the checkpoint; null: there is none yet. */
export function replaceCheckpoint(store: ObjectStore, note: Uint8Array, ifMatch: ETag | null): Promise<ETag> {
  return store.replace(CHECKPOINT_KEY, note, metaFor(CHECKPOINT_KEY), ifMatch);
}
