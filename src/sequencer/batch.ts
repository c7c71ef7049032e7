/**
 * From deliveries of the queue to a journal record: dedup by leaf hash, encode once, grow the tree on paper.
 *
 * A submission is known by its leaf hash (DESIGN §5). Nothing here touches a store.
 */

import { HASH_SIZE, type Hash } from '../merkle/index.ts';
import { packOutcome } from '../queue/index.ts';
import { type EntryRun, encodeRun, entriesOf, type HashedRun, hashedRun, joinRuns, sliceRun } from '../tiles/index.ts';
import { hashWords } from './dedup-window.ts';
import type { Part } from './deliveries.ts';
import { encodeRecord, recordKey } from './record.ts';
import { type LogState, type Segment, segmentOf } from './state.ts';

/** Parts on their way into the log. Their outcomes hold once the record, and those before it, are committed. */
export interface Batch {
  readonly parts: readonly Part[];
  /** Undefined: all of it is in the log already, or in a batch ahead of this one. */
  readonly record: BatchRecord | undefined;
}

/** A record that is ready to be created. */
export interface BatchRecord {
  readonly key: string;
  readonly bytes: readonly Uint8Array[];
  readonly segments: readonly Segment[];
  readonly base: { readonly size: number; readonly root: Hash };
  /** Of the tree that it makes. */
  readonly size: number;
  readonly root: Hash;
  /** Packed leaf hashes of the entries, to recognise them in the log. */
  readonly leafHashes: Uint8Array;
}

/** The entries of parts, in runs that are long enough to be written as they are, and their leaf hashes, packed. */
export interface Gathered {
  readonly runs: readonly HashedRun[];
  readonly hashes: Uint8Array;
}

/** Parts shorter than this, in bytes, are copied together: a piece of its own costs as much to write. */
const PIECE_BYTES = 4_096;

export function gather(parts: readonly Part[]): Gathered {
  const runs: HashedRun[] = [];
  let short: EntryRun[] = [];
  const join = (): void => {
    if (short.length > 0) runs.push(hashedRun(joinRuns(short)));
    short = [];
  };
  for (const { delivery: from, from: start, to } of parts) {
    const run = sliceRun(from.item.entries, start, to);
    if (run.bytes.length < PIECE_BYTES) short.push(run);
    else {
      join();
      runs.push(hashedRun(run));
    }
  }
  join();
  return { runs, hashes: Buffer.concat(runs.map((run) => run.hashes)) };
}

/**
 * Makes a record of the gathered parts on top of the state's edge, and grows edge and window by it. Outcomes of
 * duplicates and new entries alike are set. `older`: indices of entries that lie before the window, by place.
 */
export function prepareBatch(
  state: LogState,
  parts: readonly Part[],
  gathered: Gathered,
  older: ReadonlyMap<number, number>,
  header: { readonly logId: Uint8Array; readonly nonce: Uint8Array },
): Batch {
  const base = { size: state.edge.size, root: state.edge.root() };
  const { fresh, count } = setOutcomes(state, parts, gathered.hashes, older, base.size);
  if (count === 0) return { parts, record: undefined };

  const { runs, hashes } = count === fresh.length ? gathered : onlyFresh(gathered, fresh);
  state.edge.append(hashes);
  const root = state.edge.root();
  const size = base.size + count;
  const tree = { baseSize: base.size, baseRoot: base.root, newSize: size, newRoot: root };
  const bytes = encodeRecord({ ...header, ...tree, freeze: false }, runs);
  const segments = segmentsOf(base.size, runs);
  return { parts, record: { key: recordKey(base.size), bytes, segments, base, size, root, leafHashes: hashes } };
}

function segmentsOf(start: number, runs: readonly EntryRun[]): Segment[] {
  const segments: Segment[] = [];
  for (const run of runs) segments.push(segmentOf(segments.at(-1)?.end ?? start, run));
  return segments;
}

/** Without the entries that the log has already, copied. */
function onlyFresh({ runs, hashes }: Gathered, fresh: Uint8Array): Gathered {
  const entries = runs.flatMap(entriesOf).filter((_, i) => fresh[i] === 1);
  const chosen: Uint8Array[] = [];
  fresh.forEach((isFresh, i) => {
    if (isFresh === 1) chosen.push(hashes.subarray(HASH_SIZE * i, HASH_SIZE * (i + 1)));
  });
  const kept = Buffer.concat(chosen);
  return { runs: [{ ...encodeRun(entries), hashes: kept }], hashes: kept };
}

/** Finds or pushes every hash; `fresh` has 1 for each of the `count` entries that are new. */
function setOutcomes(
  state: LogState,
  parts: readonly Part[],
  hashes: Uint8Array,
  older: ReadonlyMap<number, number>,
  baseSize: number,
): { fresh: Uint8Array; count: number } {
  const words = hashWords(hashes);
  const fresh = new Uint8Array(hashes.length / HASH_SIZE);
  let i = 0;
  let next = baseSize;
  for (const part of parts) {
    const { outcomes } = part.delivery;
    for (let k = part.from; k < part.to; k++, i++) {
      const known = state.window.find(words, i) ?? older.get(i);
      if (known !== undefined) {
        outcomes[k] = packOutcome({ index: known, duplicate: true });
        continue;
      }
      state.window.push(words, i);
      fresh[i] = 1;
      outcomes[k] = packOutcome({ index: next++, duplicate: false });
    }
  }
  return { fresh, count: next - baseSize };
}
