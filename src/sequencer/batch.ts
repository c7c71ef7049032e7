/**
 * From deliveries of the queue to a journal record: dedup by leaf hash, encode once, grow the tree on paper.
 *
 * A submission is known by its leaf hash (DESIGN §5). Nothing here touches a store.
 */

import { type Hash, hashLeaves } from '../merkle/index.ts';
import type { EntryOutcome, QueueItem } from '../queue/index.ts';
import { MAX_ENTRY_SIZE, TILE_WIDTH } from '../tiles/index.ts';
import { hashWords } from './dedup-window.ts';
import { RECORD_HEADER, recordBuffer, recordKey, sealRecord } from './record.ts';
import { type LogState, type Segment, segmentOf } from './state.ts';

/** An item on its way through the sequencer. */
export interface Delivery {
  readonly item: QueueItem;
  readonly outcomes: EntryOutcome[];
  /** Entries before this one are in a batch, or were found to be duplicates. */
  next: number;
  /** Length of the whole item in bundle encoding. */
  readonly bytes: number;
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
  readonly bytes: Uint8Array;
  readonly segment: Segment;
  readonly base: { readonly size: number; readonly root: Hash };
  readonly root: Hash;
  /** Packed leaf hashes of the entries, to recognise them in the log. */
  readonly leafHashes: Uint8Array;
}

export function delivery(item: QueueItem): Delivery {
  let bytes = 0;
  for (const entry of item.entries) bytes += 2 + entry.length;
  return { item, outcomes: [], next: 0, bytes };
}

/** Why an item can never be logged, or undefined. One bad entry sets its whole item aside. */
export function refusal(item: QueueItem): string | undefined {
  const bad = item.entries.findIndex((entry) => entry.length > MAX_ENTRY_SIZE);
  return bad < 0 ? undefined : `entry ${bad} has ${item.entries[bad]?.length} bytes, more than ${MAX_ENTRY_SIZE}`;
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
      const length = 2 + (entries[to]?.length ?? 0);
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

/** Parts in bundle encoding, inside a buffer for their record, and the leaf hashes of their entries, packed. */
export interface EncodedParts {
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array;
  readonly spans: Uint32Array;
  readonly hashes: Uint8Array;
}

export function encodeParts(parts: readonly Part[], chosen: (i: number) => boolean = () => true): EncodedParts {
  const encoded = encodeChosen(parts, chosen);
  return { ...encoded, hashes: hashLeaves(encoded.payload, encoded.spans) };
}

/**
 * Makes a record of the encoded parts on top of the state's edge, and grows edge and window by it. Outcomes of
 * duplicates and new entries alike are set. `older`: indices of entries that lie before the window, by place.
 */
export function prepareBatch(
  state: LogState,
  parts: readonly Part[],
  encoded: EncodedParts,
  older: ReadonlyMap<number, number>,
  header: { readonly logId: Uint8Array; readonly nonce: Uint8Array },
): Batch {
  const base = { size: state.edge.size, root: state.edge.root() };
  const fresh = setOutcomes(state, parts, encoded.hashes, older, base.size);
  const count = fresh.reduce((sum, isFresh) => sum + isFresh, 0);
  if (count === 0) return { parts, record: undefined };

  const { bytes, payload, spans, hashes } =
    count === fresh.length ? encoded : encodeParts(parts, (i) => fresh[i] === 1);
  state.edge.append(hashes);
  const root = state.edge.root();
  const newSize = base.size + count;
  sealRecord(bytes, { ...header, baseSize: base.size, baseRoot: base.root, newSize, newRoot: root, freeze: false });
  const segment = segmentOf(base.size, payload, spans);
  return { parts, record: { key: recordKey(base.size), bytes, segment, base, root, leafHashes: hashes } };
}

/** The chosen entries, by their place in the parts. */
function encodeChosen(parts: readonly Part[], chosen: (i: number) => boolean): Omit<EncodedParts, 'hashes'> {
  let length = 0;
  let count = 0;
  forEachEntry(parts, (entry, i) => {
    if (!chosen(i)) return;
    length += 2 + entry.length;
    count += 1;
  });
  const bytes = recordBuffer(length);
  const payload = bytes.subarray(RECORD_HEADER, RECORD_HEADER + length);
  const spans = new Uint32Array(2 * count);
  let at = 0;
  let k = 0;
  forEachEntry(parts, (entry, i) => {
    if (!chosen(i)) return;
    payload[at] = Math.floor(entry.length / 256);
    payload[at + 1] = entry.length % 256;
    payload.set(entry, at + 2);
    spans[k] = at + 2;
    at += 2 + entry.length;
    spans[k + 1] = at;
    k += 2;
  });
  return { bytes, payload, spans };
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

function forEachEntry(parts: readonly Part[], visit: (entry: Uint8Array, i: number) => void): void {
  let i = 0;
  for (const { delivery: from, from: start, to } of parts) {
    const { entries } = from.item;
    for (let k = start; k < to; k++, i++) visit(entries[k] ?? new Uint8Array(), i);
  }
}
