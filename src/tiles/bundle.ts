/** Entry bundles: u16 length ‖ entry, one after another, in the order of the log (TILES-15). */

import { SteleError } from '../errors.ts';
import { HASH_SIZE, hashLeaves } from '../merkle/index.ts';
import { TILE_WIDTH } from './tile.ts';

/** Bytes of the longest entry: what a u16 can say. */
export const MAX_ENTRY_SIZE = 65_535;

const LENGTH_SIZE = 2;

/** Bytes of the longest bundle: 256 entries of the longest kind. */
export const MAX_BUNDLE_SIZE = TILE_WIDTH * (LENGTH_SIZE + MAX_ENTRY_SIZE);

/**
 * Entries in bundle encoding, and where each lies: how they travel from a queue into the log. Made by `encodeRun` and
 * `parseRun`, so that nobody has to look into the bytes again.
 */
export interface EntryRun {
  readonly bytes: Uint8Array;
  /** Start and end of each entry in `bytes`, as `hashLeaves` takes them. */
  readonly spans: Uint32Array;
  /** How many entries. */
  readonly length: number;
  /** Their packed leaf hashes, where somebody has computed them. */
  readonly hashes?: Uint8Array;
}

/** A run of which the leaf hashes are known. */
export type HashedRun = EntryRun & { readonly hashes: Uint8Array };

/** Offsets are kept as u32. */
const MAX_PARSED_SIZE = 2 ** 32 - 1;

/**
 * The entries as a bundle. Any number of entries: journal records use the same encoding. Throws `limit`, naming the
 * entry's place, for one above 65,535 bytes.
 */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  return encodeRun(entries).bytes;
}

/** As `encodeBundle`, with the place of each entry. */
export function encodeRun(entries: readonly Uint8Array[]): EntryRun {
  let size = 0;
  entries.forEach((entry, place) => {
    if (entry.length > MAX_ENTRY_SIZE) {
      throw new SteleError(
        'limit',
        `entry ${place} has ${entry.length} bytes, above the ${MAX_ENTRY_SIZE} that a log can hold`,
      );
    }
    size += LENGTH_SIZE + entry.length;
  });
  const bytes = new Uint8Array(size);
  const spans = new Uint32Array(2 * entries.length);
  let at = 0;
  entries.forEach((entry, place) => {
    const start = at + LENGTH_SIZE;
    bytes[at] = Math.floor(entry.length / 256);
    bytes[at + 1] = entry.length % 256;
    bytes.set(entry, start);
    at = start + entry.length;
    spans[2 * place] = start;
    spans[2 * place + 1] = at;
  });
  return { bytes, spans, length: entries.length };
}

/**
 * Where each of exactly `width` entries lies: [start0, end0, start1, end1, …] into `bytes`, as `hashLeaves` takes them.
 *
 * `width` is what the path or the checkpoint implies, not what the bytes say. Throws `malformed`, naming the entry, for
 * bytes that end early or go on. Memory is bounded by the length of `bytes`, whatever `width` is.
 */
export function parseBundle(bytes: Uint8Array, width: number): Uint32Array {
  if (bytes.length < width * LENGTH_SIZE) return malformed(bytes, width, 'it is too short to have that many');
  if (bytes.length > MAX_PARSED_SIZE) return malformed(bytes, width, 'it is longer than any bundle');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const spans = new Uint32Array(2 * width);
  let at = 0;
  for (let place = 0; place < width; place++) {
    const start = at + LENGTH_SIZE;
    if (start > bytes.length) return malformed(bytes, width, `it ends before the length of entry ${place}`);
    at = start + view.getUint16(at);
    if (at > bytes.length) return malformed(bytes, width, `entry ${place} should end at byte ${at}`);
    spans[2 * place] = start;
    spans[2 * place + 1] = at;
  }
  if (at !== bytes.length) return malformed(bytes, width, `the last entry ends at byte ${at}`);
  return spans;
}

/** Bytes that are exactly `count` entries. Throws as `parseBundle`. */
export function parseRun(bytes: Uint8Array, count: number): EntryRun {
  return { bytes, spans: parseBundle(bytes, count), length: count };
}

/** Entries [from, to) of a run, as a view of its bytes. */
export function sliceRun(run: EntryRun, from: number, to: number): EntryRun {
  if (from === 0 && to === run.length) return run;
  const { spans, hashes } = run;
  const start = (spans[2 * from] ?? run.bytes.length + LENGTH_SIZE) - LENGTH_SIZE;
  const end = to === from ? start : (spans[2 * to - 1] ?? start);
  return {
    bytes: run.bytes.subarray(start, end),
    spans: spans.slice(2 * from, 2 * to).map((at) => at - start),
    length: to - from,
    ...(hashes && { hashes: hashes.subarray(HASH_SIZE * from, HASH_SIZE * to) }),
  };
}

/** The entries of all runs, one after another, copied. */
export function joinRuns(runs: readonly EntryRun[]): EntryRun {
  const length = runs.reduce((sum, run) => sum + run.length, 0);
  const bytes = new Uint8Array(runs.reduce((sum, run) => sum + run.bytes.length, 0));
  const spans = new Uint32Array(2 * length);
  const hashes = runs.every((run) => run.hashes) ? new Uint8Array(HASH_SIZE * length) : undefined;
  let at = 0;
  let place = 0;
  for (const run of runs) {
    bytes.set(run.bytes, at);
    for (let k = 0; k < run.spans.length; k++) spans[2 * place + k] = at + (run.spans[k] ?? 0);
    if (run.hashes) hashes?.set(run.hashes, HASH_SIZE * place);
    at += run.bytes.length;
    place += run.length;
  }
  return { bytes, spans, length, ...(hashes && { hashes }) };
}

/** The same run, with its leaf hashes: computed only where they are not known. */
export function hashedRun(run: EntryRun): HashedRun {
  return { ...run, hashes: run.hashes ?? hashLeaves(run.bytes, run.spans) };
}

/** Bytes of the entries themselves, without their lengths. */
export function sizeOf({ bytes, length }: EntryRun): number {
  return bytes.length - LENGTH_SIZE * length;
}

/** The entries of a run, as views of its bytes. */
export function entriesOf({ bytes, spans }: Omit<EntryRun, 'length'>): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let k = 0; k < spans.length; k += 2) entries.push(bytes.subarray(spans[k], spans[k + 1]));
  return entries;
}

function malformed(bytes: Uint8Array, width: number, why: string): never {
  throw new SteleError('malformed', `${bytes.length} bytes are not a bundle of ${width} entries: ${why}`);
}
