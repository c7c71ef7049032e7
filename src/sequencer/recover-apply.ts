/**
 * Recover, last step: writing. Whatever a checkpoint needs comes before it, so that it may be killed anywhere: run again,
 * it finds as much evidence as before, or more, and ends in the same history.
 */

import { SteleError } from '../errors.ts';
import { equalBytes, type Hash } from '../merkle/index.ts';
import { formatCheckpoint, type SignedCheckpoint, type Signer, signNote, type Verifier } from '../note/index.ts';
import { metaFor, type ObjectStore } from '../store/index.ts';
import { type EntryRun, hashedRun, sliceRun, TILE_WIDTH } from '../tiles/index.ts';
import { CHECKPOINT_KEY, MAX_CHECKPOINT_BYTES, replaceCheckpoint, requireCheckpoint } from './checkpoints.ts';
import { createDescription, DESCRIPTION_KEY, idBytes } from './description.ts';
import { encodeRecord, JOURNAL, MAX_RECORD_BYTES, RECORD_OVERHEAD, recordKey } from './record.ts';
import type { Evidence, Tree } from './recover-evidence.ts';
import type { Plan } from './recover-plan.ts';
import type { Stretch } from './recover-tree.ts';
import { readBundle, readEdge, VerifiedTiles } from './verified-tiles.ts';

export interface ApplyDependencies {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly random: (length: number) => Uint8Array;
}

/** What was seen of the tree when the plan was made. */
export interface SeenTree {
  /** Root after each stretch, in order. */
  readonly roots: readonly Hash[];
  /** Root of the size that is to be published. */
  readonly targetRoot: Hash;
  /** Objects to be written. */
  readonly mends: number;
}

/**
 * Does what the plan says. `stretches` goes through the tree once more. Throws `conflict` or `precondition-failed` where
 * somebody else wrote meanwhile, and what a store throws; run recover again then.
 */
export async function applyPlan(
  deps: ApplyDependencies,
  evidence: Evidence,
  plan: Plan,
  seen: SeenTree,
  stretches: AsyncIterable<Stretch>,
): Promise<SignedCheckpoint> {
  await checkUnmoved(deps.publicStore, evidence);
  await describeStores(deps, evidence);
  if (seen.mends > 0) await mendObjects(deps.publicStore, seen, stretches);
  for (const base of plan.setAside) await setAside(deps.privateStore, base);
  const target = { size: plan.target, root: seen.targetRoot };
  if (plan.boundaryStart !== undefined) {
    await writeBoundary(deps, idBytes(evidence.description), plan.boundaryStart, target);
  }
  if (plan.sign) await publishTarget(deps, evidence, target);
  return (await requireCheckpoint(deps.publicStore, deps.verifier)).checkpoint;
}

/** Nothing keeps a sequencer away from a bucket: where one has published since, what was judged is not what is there. */
async function checkUnmoved(store: ObjectStore, { published }: Evidence): Promise<void> {
  const now = await store.get(CHECKPOINT_KEY, { maxBytes: MAX_CHECKPOINT_BYTES });
  const judged = published.kind === 'absent' ? undefined : published.etag;
  if (now?.etag !== judged) throw writtenMeanwhile('the checkpoint', store);
}

async function describeStores({ publicStore, privateStore }: ApplyDependencies, evidence: Evidence): Promise<void> {
  for (const { store: which, found } of evidence.undescribed) {
    const store = which === 'public' ? publicStore : privateStore;
    if (found === 'damaged') await store.delete(DESCRIPTION_KEY);
    if (!(await createDescription(store, evidence.description))) throw writtenMeanwhile(DESCRIPTION_KEY, store);
  }
}

async function mendObjects(store: ObjectStore, seen: SeenTree, stretches: AsyncIterable<Stretch>): Promise<void> {
  let at = 0;
  for await (const { root, mends } of stretches) {
    // Only what led to the stated roots when the whole tree was gone through may be written.
    const expected = seen.roots[at];
    if (expected === undefined || !equalBytes(root, expected)) throw writtenMeanwhile('a bundle', store);
    for (const { key, damaged } of mends) if (damaged) await store.delete(key);
    await store.createAll(mends.map(({ key, bytes }) => ({ key, bytes, meta: metaFor(key) })));
    at += 1;
  }
}

/** Moves a record out of the journal, to the first free name. Interrupted, it leaves a copy, which the next one takes for its own. */
async function setAside(store: ObjectStore, base: number): Promise<void> {
  const key = recordKey(base);
  const object = await store.get(key);
  if (object === undefined) return;
  for (let n = 0; ; n++) {
    const aside = asideKey(base, n);
    if (await store.create(aside, object.bytes, metaFor(aside))) break;
    const there = await store.get(aside);
    if (there !== undefined && equalBytes(there.bytes, object.bytes)) break;
  }
  await store.delete(key);
}

export function asideKey(base: number, n: number): string {
  return `journal-set-aside/${recordKey(base).slice(JOURNAL.length)}-${n}`;
}

/**
 * Writes the record that ends at the target, by which a writer knows that its stores belong together. It is made from
 * the public store, whose every byte is verified for it: so they are there.
 */
async function writeBoundary(
  { publicStore, privateStore, random }: ApplyDependencies,
  logId: Uint8Array,
  earliest: number,
  target: Tree,
): Promise<void> {
  const edge = await readEdge(publicStore, target.size, target.root);
  const tiles = new VerifiedTiles(publicStore, target.size, edge);
  const n = Math.floor(earliest / TILE_WIDTH);
  const width = target.size - n * TILE_WIDTH;
  const { value: last } = await tiles.leafHashes(n * TILE_WIDTH, target.size).next();
  const bundle = await readBundle(publicStore, { level: 'entries', n, width }, last?.hashes ?? new Uint8Array());
  const entriesFrom = (start: number): EntryRun => sliceRun(bundle, start - n * TILE_WIDTH, width);
  // 256 entries of the longest kind are just above what a record may have.
  let start = earliest;
  while (RECORD_OVERHEAD + entriesFrom(start).bytes.length > MAX_RECORD_BYTES) start += 1;
  const header = {
    logId,
    nonce: random(16),
    baseSize: start,
    baseRoot: await tiles.rootAt(start),
    newSize: target.size,
    newRoot: target.root,
    freeze: false,
  };
  const record = encodeRecord(header, [hashedRun(entriesFrom(start))]);
  // It commits nothing that is not known already: all evidence there is makes this tree of these entries.
  const key = recordKey(start);
  if (!(await privateStore.create(key, record, metaFor(key)))) throw writtenMeanwhile(key, privateStore);
}

/**
 * Irreversible: the log states this tree. It contains every tree that this log is known to have signed, every commit
 * that is known, and every tile; all that it needs is in place. Replaced is only the very version that was judged.
 */
async function publishTarget(
  { publicStore, signer }: ApplyDependencies,
  { published }: Evidence,
  { size, root }: Tree,
): Promise<void> {
  const text = formatCheckpoint({ origin: signer.name, size, root, extensions: [] });
  const note = await signNote(text, [signer]);
  await replaceCheckpoint(publicStore, note, published.kind === 'absent' ? null : published.etag);
}

function writtenMeanwhile(what: string, store: ObjectStore): SteleError {
  return new SteleError(
    'conflict',
    `${what} in ${store.url} changed while recover was at work: stop every writer of this log, then run recover again`,
  );
}
