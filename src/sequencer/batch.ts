/**
 * From deliveries of the queue to a journal record: dedup by leaf hash, encode once, grow the tree on paper.
 *
 * A submission is known by its leaf hash (DESIGN §5). Nothing here touches a store.
 */

import { HASH_SIZE, type Hash } from '../merkle/index.ts';
import type { EntryOutcome, QueueItem } from '../queue/index.ts';
import {
  type EntryRun,
  encodeRun,
  entriesOf,
  type HashedRun,
  hashedRun,
  joinRuns,
  sliceRun,
  TILE_WIDTH,
} from '../tiles/index.ts';
import { hashWords } from './dedup-window.ts';
import { encodeRecord, recordKey } from './record.ts';
import { type LogState, type Segment, segmentOf } from './state.ts';

/** An item on its way through the sequencer. */
export interface Delivery {
  readonly item: QueueItem;
  readonly outcomes: EntryOutcome[];
  /** Entries before this one are in a batch, or were found to be duplicates. */
  next: number;
}

/** A run of entries of one delivery. */
export interface Part {
  readonly delivery: Delivery;
  readonly from: number;
  readonly to: number;
}

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

export function delivery(item: QueueItem): Delivery {
  return { item, outcomes: [], next: 0 };
}

/**
 * Takes entries off the front of `waiting` up to the bounds. A batch that leaves entries behind ends at a multiple of
 * 256, so that a full batch needs no partial bundle.
 */
export function takeParts(waiting: Delivery[], size: number, maxEntries: number, maxBytes: number): Part[] {
  const aligned = maxEntries - ((size + maxEntries) % TILE_WIDTH);
  const limit = aligned > 0 && moreThan(maxEntries, waiting) ? aligned : maxEntries;
  const parts: Part[] = [];
  let count = 0;
  let bytes = 0;
  let whole = 0;
  for (const waits of waiting) {
    const { entries } = waits.item;
    const from = waits.next;
    let to = from;
    for (; to < entries.length && count < limit; to++, count++) {
      const length = 2 + (entries.spans[2 * to + 1] ?? 0) - (entries.spans[2 * to] ?? 0);
      if (bytes + length > maxBytes) break;
      bytes += length;
    }
    if (to > from) parts.push({ delivery: waits, from, to });
    waits.next = to;
    if (to < entries.length) break;
    whole += 1;
  }
  waiting.splice(0, whole);
  return parts;
}

function moreThan(limit: number, waiting: readonly Delivery[]): boolean {
  let count = 0;
  return waiting.some(({ item, next }) => {
    count += item.entries.length - next;
    return count > limit;
  });
}

/** Gives the entries of `parts` back to the front of `waiting`, in their old order. */
export function returnParts(waiting: Delivery[], parts: readonly Part[]): void {
  for (const { delivery: back, from } of parts.toReversed()) {
    back.next = from;
    if (waiting[0] !== back) waiting.unshift(back);
  }
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
  return { runs, hashes: concatenate(runs.map((run) => run.hashes)) };
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
  const fresh = setOutcomes(state, parts, gathered.hashes, older, base.size);
  const count = fresh.reduce((sum, isFresh) => sum + isFresh, 0);
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
  const kept = concatenate(chosen);
  return { runs: [{ ...encodeRun(entries), hashes: kept }], hashes: kept };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Finds or pushes every hash; returns 1 for each entry that is new. */
function setOutcomes(
  state: LogState,
  parts: readonly Part[],
  hashes: Uint8Array,
  older: ReadonlyMap<number, number>,
  baseSize: number,
): Uint8Array {
  const words = hashWords(hashes);
  const fresh = new Uint8Array(hashes.length / 32);
  let i = 0;
  let next = baseSize;
  for (const part of parts) {
    const { outcomes } = part.delivery;
    for (let k = part.from; k < part.to; k++, i++) {
      const known = state.window.find(words, i) ?? older.get(i);
      if (known === undefined) {
        state.window.push(words, i);
        fresh[i] = 1;
      }
      outcomes[k] = { index: known ?? next++, duplicate: known !== undefined };
    }
  }
  return fresh;
}
