/**
 * Recover, second step: the longest history that the evidence allows, and what is to be made of it, or a refusal. A pure
 * decision.
 *
 * Nothing is ever to be signed below or beside a size that there is evidence of. So every signed checkpoint and every
 * record that counts must have its place in one history, and every object in the public store must lie within it.
 */

import { SteleError } from '../errors.ts';
import { EMPTY_ROOT, type Range } from '../merkle/index.ts';
import { countOn, TILE_WIDTH, tilePath } from '../tiles/index.ts';
import { recordKey } from './record.ts';
import type { Evidence, RecordHead, Tree } from './recover-evidence.ts';
import { type JournalWalk, walkJournal } from './recover-journal.ts';

export type Finding =
  | 'healthy'
  /** An interrupted `stele init`: there is no history to recover. */
  | 'creation-incomplete'
  | 'checkpoint-lost'
  | 'private-lost'
  /** The journal ends below the published size. */
  | 'private-older'
  /** The published size is below what the journal, the bundles or the mirror show. */
  | 'public-older'
  | 'journal-damaged'
  | 'tiles-damaged'
  /** The public log.json is gone. */
  | 'description-lost';

/** A tree that somebody states. */
export interface Milestone extends Tree {
  readonly statedBy: string;
}

/** Three sizes, in order: `signed.size ≤ committed ≤ known`. */
export interface History {
  /** The largest tree that a checkpoint was seen of; the empty one where there is none. */
  readonly signed: Tree;
  /** Where the journal's records end: their roots prove the entries up to here. */
  readonly committed: number;
  /** Where the bundles end that follow without a gap: committed once, by records that are lost. */
  readonly known: number;
  /** Records whose entries are in it, ascending. */
  readonly records: readonly RecordHead[];
  /** Trees that the entries must make on the way, ascending. */
  readonly milestones: readonly Milestone[];
}

export interface Plan {
  /** `healthy`: as far as can be told without looking at the tree. */
  readonly finding: Finding;
  readonly history: History;
  /** The size that is to be published: every object it implies must be there. */
  readonly target: number;
  /** Whether a checkpoint of `target` must be signed; otherwise the one that stands there stays. */
  readonly sign: boolean;
  /** Start of the record that must be written to end at `target`; undefined where one does already. */
  readonly boundaryStart: number | undefined;
  /** Base sizes of records that stand in a writer's way. */
  readonly setAside: readonly number[];
}

const refuse = (what: string): never => {
  throw new SteleError('refused', what);
};

/**
 * Throws `refused`, with the evidence, where no single history explains it or where part of it cannot be had.
 * `acceptLoss`: the operator states that what unreadable records at the journal's end committed was never published.
 */
export function planRecovery(evidence: Evidence, acceptLoss: boolean): Plan {
  const signed = largestSigned(evidence);
  if (signed === undefined && evidence.records.length === 0) return planWithoutHistory(evidence);
  const walk = walkJournal(signed ?? EMPTY_TREE, evidence);
  if (!acceptLoss) refuseLoss(walk.committed, evidence);
  const known = endOfBundles(walk, evidence);
  refuseBeyond(known, evidence);

  const target = signed !== undefined && canGoOn(signed, walk, known, evidence) ? signed.size : known;
  const ending = recordEndingAt(target, signed, walk);
  // A new one starts behind the records that count: it extends them, and straddles no size that is known of.
  const boundaryStart =
    ending === undefined && target > 0
      ? Math.max(startOfLastBundle(target), target > walk.committed ? walk.committed : 0)
      : undefined;
  const counting = new Set([ending, ...walk.chain].map((record) => record?.baseSize));
  const from = Math.min(walk.committed, ending?.baseSize ?? boundaryStart ?? target);
  const plan = {
    history: {
      signed: signed ?? EMPTY_TREE,
      committed: walk.committed,
      known,
      records: walk.sources,
      milestones: milestonesOf(walk, evidence),
    },
    target,
    sign: evidence.published.kind !== 'valid' || target > evidence.published.checkpoint.size,
    boundaryStart,
    setAside: keysOf(evidence).filter((base) => base >= from && !counting.has(base)),
  };
  return { finding: findingOf(plan, evidence), ...plan };
}

const EMPTY_TREE: Tree = { size: 0, root: EMPTY_ROOT };

function largestSigned({ published, mirrored }: Evidence): Tree | undefined {
  const ours = published.kind === 'valid' ? published.checkpoint : undefined;
  return mirrored !== undefined && mirrored.size > (ours?.size ?? -1) ? mirrored : ours;
}

/** No checkpoint and no record: either nothing ever happened, or nothing says how much. */
function planWithoutHistory({ furthest, unreadable, names }: Evidence): Plan {
  const [tile] = furthest;
  const [record] = unreadable;
  if (tile !== undefined || record !== undefined) {
    refuse(
      `there is no checkpoint in ${names.publicStore} and no record that can be read in ${names.privateStore}, but there is ${tile === undefined ? recordKey(record?.base ?? 0) : tilePath(tile)}: nothing says how large this log was; name a mirror with --from URL`,
    );
  }
  const history = { signed: EMPTY_TREE, committed: 0, known: 0, records: [], milestones: [] };
  return { finding: 'creation-incomplete', history, target: 0, sign: false, boundaryStart: undefined, setAside: [] };
}

/** Records at or beyond the end of what can be read are commits of something, perhaps published. */
function refuseLoss(committed: number, { unreadable }: Evidence): void {
  const lost = unreadable.filter(({ base, foreign }) => base >= committed && !foreign);
  if (lost.length === 0) return;
  const list = lost.map(({ base, why }) => `${recordKey(base)}: ${why}`).join('; ');
  refuse(
    `commits beyond size ${committed} cannot be read (${list}). Their entries were acknowledged only if they were published: if no checkpoint above ${committed} ever was, say so with --accept-loss, and the records are set aside; otherwise put them back, or name a mirror with --from URL`,
  );
}

/** Tiles and bundles are written of committed trees only: what follows without a gap belongs to the history. */
function endOfBundles({ committed, frozen }: JournalWalk, { bundles, names }: Evidence): number {
  const next = bundles.find(({ start, end }: Range) => start <= committed && end > committed);
  if (next === undefined) return committed;
  if (!frozen) return next.end;
  return refuse(
    `the journal was frozen at size ${committed}, but bundles in ${names.publicStore} reach to ${next.end}`,
  );
}

function refuseBeyond(known: number, { furthest, names }: Evidence): void {
  const beyond = furthest.find(({ level, n, width }) => n * TILE_WIDTH + width > countOn(level, known));
  if (beyond === undefined) return;
  refuse(
    `${tilePath(beyond)} in ${names.publicStore} is of a larger tree than the one of size ${known} whose entries are there: a checkpoint of it may have been published; name a mirror that has it with --from URL`,
  );
}

/**
 * Whether a writer that finds the signed checkpoint and the journal as they are will find its way to the whole history
 * by itself. Then no signature of ours is needed. Where the record that ended at the published size is gone, and was not
 * damaged, it was collected: a larger checkpoint was published.
 */
function canGoOn(signed: Tree, walk: JournalWalk, known: number, evidence: Evidence): boolean {
  const { published, unreadable } = evidence;
  if (published.kind !== 'valid' || published.checkpoint.size < signed.size) return false;
  if (walk.hasGap || known > walk.committed) return false;
  const last = keysOf(evidence).findLast((base) => base < signed.size);
  const kept = walk.boundary !== undefined || unreadable.some(({ base }) => base === last);
  return kept || signed.size === 0 || known === signed.size;
}

function recordEndingAt(target: number, signed: Tree | undefined, walk: JournalWalk): RecordHead | undefined {
  if (target === signed?.size) return walk.boundary;
  return walk.chain.findLast(({ freeze, newSize }) => !freeze && newSize === target);
}

export function startOfLastBundle(size: number): number {
  return Math.floor((size - 1) / TILE_WIDTH) * TILE_WIDTH;
}

function keysOf({ records, unreadable }: Evidence): number[] {
  return [...records.map(({ baseSize }) => baseSize), ...unreadable.map(({ base }) => base)].sort((a, b) => a - b);
}

function milestonesOf({ stated }: JournalWalk, { published, mirrored, names }: Evidence): Milestone[] {
  const milestones: Milestone[] = stated.flatMap(({ baseSize, baseRoot, newSize, newRoot }) => [
    { size: baseSize, root: baseRoot, statedBy: recordKey(baseSize) },
    { size: newSize, root: newRoot, statedBy: recordKey(baseSize) },
  ]);
  if (mirrored !== undefined) milestones.push({ ...mirrored, statedBy: 'the checkpoint of the mirror' });
  if (published.kind === 'valid') {
    milestones.push({ ...published.checkpoint, statedBy: `the checkpoint in ${names.publicStore}` });
  }
  return milestones.sort((a, b) => a.size - b.size);
}

function findingOf(
  { history, sign, boundaryStart, setAside }: Omit<Plan, 'finding'>,
  { published, undescribed, records, unreadable }: Evidence,
): Finding {
  if (published.kind !== 'valid') return 'checkpoint-lost';
  if (undescribed.some(({ store }) => store === 'private')) return 'private-lost';
  if (sign) return 'public-older';
  if (boundaryStart !== undefined) {
    const older = records.length > 0 && unreadable.length === 0 && history.committed === history.signed.size;
    return older ? 'private-older' : 'journal-damaged';
  }
  if (setAside.length > 0) return 'journal-damaged';
  return undescribed.length > 0 ? 'description-lost' : 'healthy';
}
