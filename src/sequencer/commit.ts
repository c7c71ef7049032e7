/**
 * The commit (DESIGN §5): creating `journal/<size>` is the one step that puts entries into the log.
 *
 * `commitRecord` is the only caller of that create. It reads top to bottom as the argument that history stays unique.
 */

import { isSteleError, SteleError } from '../errors.ts';
import { equalBytes } from '../merkle/index.ts';
import type { Verifier } from '../note/index.ts';
import { equalsPieces, metaFor, type ObjectStore, type StagedObject } from '../store/index.ts';
import { requireCheckpoint } from './checkpoints.ts';
import { extendsTree, notOurs, readRecord } from './load.ts';
import type { JournalRecord } from './record.ts';
import { type RetryDependencies, retrying } from './retry.ts';
import { committed, type LogState, settlePublished } from './state.ts';

export interface CommitDependencies extends RetryDependencies {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly verifier: Verifier;
  readonly logId: Uint8Array;
}

export type CommitResult =
  /** Our record is part of the one history. */
  | { readonly kind: 'committed' }
  /** Another writer's record is, at this place: append it, and try again behind it. */
  | { readonly kind: 'adopted'; readonly record: JournalRecord }
  /** The log went on without us: load again, then see whether our entries are in it. */
  | { readonly kind: 'late' };

/** What is to be created, by key; `staged` is the same with its bytes already on their way to disk. */
export interface Candidate {
  readonly key: string;
  readonly bytes: readonly Uint8Array[];
  readonly staged: StagedObject | undefined;
}

/**
 * Tries to make `candidate` the record that extends the committed tree of `state`. Changes nothing in `state` but what
 * the checkpoint read tells of publication. Throws `refused` where the stores contradict our history.
 */
export async function commitRecord(
  deps: CommitDependencies,
  state: LogState,
  candidate: Candidate,
): Promise<CommitResult> {
  const head = committed(state);

  // Irreversible: whoever creates this key first has committed. The record names the tree it extends by size and root,
  // which is the tree that all records before it, each checked in the same way, have made.
  const other = await createOrRead(deps, head.size, candidate);

  // Authority: a record at s counts only if a checkpoint read *after* it was created or read has size <= s. Records are
  // collected after publication, so a create that lands very late can succeed at a vacated key: then the published size
  // is already beyond s, and this read tells.
  const known = [state.published.checkpoint, ...state.boundaries]; // a publication of ours may end during the read
  const now = await retrying(deps, 'reading the checkpoint', () =>
    requireCheckpoint(deps.publicStore, deps.verifier, state.published.checkpoint),
  );
  const { size, root } = now.checkpoint;
  if (size > head.size) return { kind: 'late' };
  // What stands there is where one of our records ended; anything else is for a load to judge.
  if (!known.some((tree) => tree.size === size && equalBytes(tree.root, root))) return { kind: 'late' };
  if (size > state.published.checkpoint.size) settlePublished(state, { ...now, at: deps.clock.now() }); // by a rival

  if (other === undefined) return { kind: 'committed' };
  if (extendsTree(other, head)) return { kind: 'adopted', record: other };
  // Not our tree: a stray that we met too late, or stores that do not belong together. The checkpoint decides.
  const again = await retrying(deps, 'reading the checkpoint', () =>
    requireCheckpoint(deps.publicStore, deps.verifier),
  );
  if (again.etag !== now.etag) return { kind: 'late' };
  throw notOurs(other, head);
}

/**
 * Creates the record. Undefined: it stands at its key and it is ours, byte for byte (the nonce makes it so). Otherwise
 * the record that stands there instead.
 */
async function createOrRead(
  deps: CommitDependencies,
  size: number,
  candidate: Candidate,
): Promise<JournalRecord | undefined> {
  const { key, bytes } = candidate;
  let staged = candidate.staged;
  return retrying(deps, `creating ${key}`, async () => {
    const first = staged?.create();
    staged = undefined; // a second try sends the bytes afresh
    let unknown: SteleError | undefined;
    try {
      if (await (first ?? deps.privateStore.create(key, bytes, metaFor(key)))) return undefined;
    } catch (error) {
      if (!isSteleError(error, 'outcome-unknown')) throw error;
      unknown = error;
    }
    // There already, or nobody knows: what is there now decides. Absent: our create failed or has yet to land; sending
    // the same bytes again is safe either way, for only one of the two can win.
    const found = await readRecord(deps, size);
    if (found !== undefined) return equalsPieces(found.bytes, bytes) ? undefined : found;
    throw new SteleError(
      'unreachable',
      `${key} is not there after it was created: ${unknown?.message ?? 'collected'}`,
      {
        cause: unknown,
      },
    );
  });
}
