/** Recover: which journal records count, judged by their heads alone. Pure. */

import { SteleError } from '../errors.ts';
import { equalBytes, type Range } from '../merkle/index.ts';
import { recordKey } from './record.ts';
import type { Evidence, RecordHead, Tree } from './recover-evidence.ts';

/** The journal as it continues a signed tree. */
export interface JournalWalk {
  /** The record that ends exactly at the signed tree. */
  readonly boundary: RecordHead | undefined;
  /** Records from the signed size on, ascending; each extends the one before it, or begins behind a gap. */
  readonly chain: readonly RecordHead[];
  /** Where the chain ends. */
  readonly committed: number;
  readonly frozen: boolean;
  /** Whether entries between the signed size and the end are in no record. */
  readonly hasGap: boolean;
  /** Records that must agree with the history at both of their ends. */
  readonly stated: readonly RecordHead[];
  /** Records whose entries are in the history if those of `stated` are. */
  readonly sources: readonly RecordHead[];
}

const refuse = (what: string): never => {
  throw new SteleError('refused', what);
};

/**
 * Walks the records from `signed` on. All of them must fit into one history: a record from the signed size on counts,
 * unless somebody published beyond it, and nothing tells that nobody did.
 *
 * Records below the signed size never count. They still tell whether the stores belong together, where the one that
 * ends at it is missing. Where that is there, others are strays: creates that came late, to a vacated key.
 */
export function walkJournal(signed: Tree, { records, bundles, names }: Evidence): JournalWalk {
  const below = records.filter(({ baseSize }) => baseSize < signed.size);
  const boundary = below.findLast(
    ({ newSize, newRoot }) => newSize === signed.size && equalBytes(newRoot, signed.root),
  );
  const across = below.find(({ newSize }) => newSize >= signed.size);
  if (boundary === undefined && across !== undefined) {
    refuse(
      `${recordKey(across.baseSize)} in ${names.privateStore} ends at size ${across.newSize}, and no record ends at the signed tree of size ${signed.size}: these are two histories, so ${names.privateStore} is not the journal of this log, or the log was restored and went on; put the journal that belongs to it back`,
    );
  }

  const chain: RecordHead[] = [];
  let head = signed;
  let hasGap = false;
  let frozen = false;
  for (const record of records.filter(({ baseSize }) => baseSize >= signed.size)) {
    const { baseSize, baseRoot, newSize, newRoot } = record;
    const fits = baseSize > head.size || (baseSize === head.size && equalBytes(baseRoot, head.root));
    if (frozen || !fits) {
      refuse(
        `${recordKey(baseSize)} in ${names.privateStore} does not extend the tree of size ${head.size} that ${chain.length > 0 ? 'the records before it make' : 'is signed'}${frozen ? ', which was frozen' : ''}: these are two histories; put the stores back that belong together`,
      );
    }
    const missing = firstUncovered({ start: head.size, end: baseSize }, bundles);
    if (missing !== undefined) {
      refuse(
        `entries ${missing.start} to ${missing.end - 1} are missing: the journal goes on at size ${baseSize} (${recordKey(baseSize)}), what is signed ends at ${signed.size}, and no bundle in ${names.publicStore} has what lies between; name a mirror that has it with --from URL`,
      );
    }
    hasGap ||= baseSize > head.size;
    chain.push(record);
    head = { size: newSize, root: newRoot };
    frozen = record.freeze;
  }
  return {
    boundary,
    chain,
    committed: head.size,
    frozen,
    hasGap,
    stated: [...(boundary === undefined ? below : []), ...chain],
    sources: [...leadingTo(boundary, below), ...chain],
  };
}

/** The part of `range` that no bundle has, from its first such entry to its end. */
function firstUncovered(range: Range, bundles: readonly Range[]): Range | undefined {
  let { start } = range;
  for (const bundle of bundles) if (bundle.start <= start && bundle.end > start) start = bundle.end;
  return start < range.end ? { start, end: range.end } : undefined;
}

/** Records that were not yet collected, back from `last`, each linked by its root to the next. */
function leadingTo(last: RecordHead | undefined, records: readonly RecordHead[]): RecordHead[] {
  const found: RecordHead[] = [];
  let next = last;
  while (next !== undefined) {
    const { baseSize, baseRoot } = next;
    found.unshift(next);
    next = records.find(
      ({ newSize, newRoot, freeze }) => !freeze && newSize === baseSize && equalBytes(newRoot, baseRoot),
    );
  }
  return found;
}
