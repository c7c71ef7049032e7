/**
 * Recover, second step: the longest history that the evidence allows, or a refusal. A pure decision.
 *
 * Nothing is ever to be signed below or beside a size that there is evidence of. So every signed checkpoint and every
 * record from there on must have its place in one history, and everything that lies in the public store must be
 * within it; whatever does not fit is refused.
 */

import { SteleError } from '../errors.ts';
import { EMPTY_ROOT, equalBytes, type Range } from '../merkle/index.ts';
import { countOn, TILE_WIDTH, tilePath } from '../tiles/index.ts';
import type { Evidence, RecordHead, Tree } from './recover-evidence.ts';
import { recordKey } from './record.ts';

export type Finding =
  | 'healthy'
  /** An interrupted `stele init`: there is no history to recover. */
  | 'creation-incomplete'
  | 'checkpoint-lost'
  | 'private-lost'
  /** The journal ends below the published size. */
  | 'private-older'
  /** The published size is below what the journal, the tiles or the mirror show. */
  | 'public-older'
  | 'journal-damaged'
  | 'tiles-damaged'
  /** The public log.json is gone. */
  | 'description-lost';

/** A tree that somebody states. */
export interface Milestone extends Tree {
  readonly statedBy: string;
}

/** Three sizes, in order: `signed ≤ committed ≤ known`. The first is the largest that a checkpoint was seen of. */
export interface History {
  readonly signed: Tree;
  /** Where the journal's records end; their roots prove the entries up to here. */
  readonly committed: number;
  /** Where the bundles end that follow without a gap: committed once, by records that are lost. */
  readonly known: number;
  /** Records whose entries are in it, ascending, each linked to the one before it by its base or across a gap. */
  readonly records: readonly RecordHead[];
  /** Trees that the entries must make on the way, ascending. */
  readonly milestones: readonly Milestone[];
}

export interface Plan {
  /** `healthy` where only the tree is still to be looked at. */
  readonly finding: Finding;
  readonly history: History;
  /** The size that is to be published: every object it implies must be there. */
  readonly target: number;
  /** Whether a checkpoint of `target` must be signed; otherwise the one that stands there stays. */
  readonly sign: boolean;
  /** Earliest start of a boundary record to be written; undefined where a record ends at `target` already. */
  readonly boundaryFrom: number | undefined;
  /** Base sizes of records that stand in a writer's way. */
  readonly setAside: readonly number[];
}

const MIRROR = 'name a mirror that has more with --from URL';

const refuse = (what: string): never => {
  throw new SteleError('refused', what);
};

/** Throws `refused`, with the evidence, where no single history explains it or part of it cannot be had. */
export function planRecovery(evidence: Evidence, acceptLoss: boolean): Plan {
  const { published, mirrored, records, unreadable, furthest, names } = evidence;
  const signed = largestSigned(evidence);
  if (signed === undefined && records.length === 0) return planWithoutHistory(evidence);

  const walk = walkJournal(signed ?? { size: 0, root: EMPTY_ROOT }, evidence);
  const { boundary, chain, gap } = walk;
  const committed = walk.head.size;
  const lost = unreadable.filter(({ base, foreign }) => base >= committed && !foreign);
  if (lost.length > 0 && !acceptLoss) {
    refuse(
      `records beyond size ${committed} cannot be read (${lost.map(({ base, why }) => `${recordKey(base)}: ${why}`).join('; ')}): what they committed was answered only if it was published; if no checkpoint above ${committed} ever was, say so with --accept-loss, and they are set aside; otherwise ${MIRROR}`,
    );
  }
  const known = endOfBundles(committed, evidence.bundles);
  const frozen = chain.at(-1)?.freeze === true;
  if (frozen && known > committed) {
    refuse(`the journal says that the log was frozen at size ${committed}, but bundles in ${names.publicStore} go on`);
  }
  const beyond = furthest.find(({ level, n, width }) => n * TILE_WIDTH + width > countOn(level, known));
  if (beyond !== undefined) {
    refuse(
      `${tilePath(beyond)} in ${names.publicStore} is of a tree larger than ${known}, and the entries up to there are in no journal record and no bundle: a checkpoint of that tree may have been published; ${MIRROR}`,
    );
  }

  // What a writer would walk to by itself needs no signature of ours.
  const last = lastBelow(signed?.size ?? 0, evidence);
  const walkable =
    published.kind === 'valid' &&
    published.checkpoint.size === signed?.size &&
    gap === undefined &&
    known === committed &&
    (signed.size === 0 || boundary !== undefined || unreadable.some(({ base }) => base === last));
  const target = walkable ? signed.size : known;
  const sign = published.kind !== 'valid' || target > published.checkpoint.size;

  const ending = target === signed?.size ? boundary : chain.findLast(({ freeze, newSize }) => !freeze && newSize === target);
  // Behind the last record that counts, so that what is written extends it and straddles no size that is known.
  const boundaryFrom = ending !== undefined || target === 0 ? undefined : target > committed ? committed : 0;
  const from = ending === undefined ? Math.max(startOfLastBundle(target), boundaryFrom ?? 0) : ending.baseSize;
  const counting = new Set([ending, ...chain].map((record) => record?.baseSize));
  const setAside = [...records.map(({ baseSize }) => baseSize), ...unreadable.map(({ base }) => base)]
    .filter((base) => base >= from && !counting.has(base))
    .sort((a, b) => a - b);

  const milestones = [
    ...(published.kind === 'valid' ? [{ ...published.checkpoint, statedBy: `the checkpoint in ${names.publicStore}` }] : []),
    ...(mirrored === undefined ? [] : [{ ...mirrored, statedBy: 'the checkpoint of the mirror' }]),
    ...walk.stated.flatMap(({ baseSize, baseRoot, newSize, newRoot }) => [
      { size: baseSize, root: baseRoot, statedBy: recordKey(baseSize) },
      { size: newSize, root: newRoot, statedBy: recordKey(baseSize) },
    ]),
  ].sort((a, b) => a.size - b.size);
  const sources = [...leadingTo(boundary, records), ...chain];
  const history = {
    signed: signed ?? { size: 0, root: EMPTY_ROOT },
    committed,
    known,
    records: sources,
    milestones,
  };
  const draft = { history, target, sign, boundaryFrom, setAside };
  return { finding: findingOf(evidence, draft), ...draft };
}

export function startOfLastBundle(size: number): number {
  return size === 0 ? 0 : Math.floor((size - 1) / TILE_WIDTH) * TILE_WIDTH;
}
