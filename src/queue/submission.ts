/**
 * The submission: one item of a queue as bytes, the same in a spool directory and in a bucket (tiles-spec/submission.md).
 *
 * | bytes | field                                                  |
 * |-------|--------------------------------------------------------|
 * | 20    | `stele-submission/v1` and a line feed                  |
 * | 4     | number of entries, big-endian, 1 to 65,536             |
 * | …     | the entries, u16 length ‖ bytes each, and nothing more |
 *
 * Its id is the SHA-256 of all of these bytes: equal submissions are the same item, and have the same answer.
 */

import { hash } from 'node:crypto';
import { SteleError } from '../errors.ts';
import { type EntryRun, encodeBundle, MAX_ENTRY_SIZE, parseRun } from '../tiles/index.ts';

export const MAX_ITEM_ENTRIES = 65_536;
/** Bytes of the longest submission, header included: 16 MiB. */
export const MAX_ITEM_BYTES = 16 * 2 ** 20;

const MAGIC = new TextEncoder().encode('stele-submission/v1\n');
const HEADER_SIZE = MAGIC.length + 4;
const LENGTH_SIZE = 2;

/** The entries as one submission. Throws `limit` for none, for too many, for too long ones, and above 16 MiB. */
export function encodeSubmission(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0 || entries.length > MAX_ITEM_ENTRIES) {
    throw new SteleError('limit', `a submission has 1 to ${MAX_ITEM_ENTRIES} entries, not ${entries.length}`);
  }
  const size = entries.reduce((sum, entry) => sum + LENGTH_SIZE + entry.length, HEADER_SIZE);
  if (size > MAX_ITEM_BYTES) {
    throw new SteleError('limit', `a submission of ${size} bytes is above ${MAX_ITEM_BYTES}: split it`);
  }
  const bytes = new Uint8Array(size);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(MAGIC.length, entries.length);
  bytes.set(encodeBundle(entries), HEADER_SIZE);
  return bytes;
}

/** The entries of a submission, as a view of `bytes`. Throws `malformed` or `limit`; time and memory are bounded by the length. */
export function parseSubmission(bytes: Uint8Array): EntryRun {
  if (bytes.length > MAX_ITEM_BYTES) {
    throw new SteleError('limit', `a submission has at most ${MAX_ITEM_BYTES} bytes, not ${bytes.length}`);
  }
  if (bytes.length < HEADER_SIZE || MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw new SteleError('malformed', 'these bytes do not start as a submission does, with "stele-submission/v1"');
  }
  const count = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(MAGIC.length);
  if (count === 0 || count > MAX_ITEM_ENTRIES) {
    throw new SteleError('malformed', `a submission has 1 to ${MAX_ITEM_ENTRIES} entries; this one says ${count}`);
  }
  return parseRun(bytes.subarray(HEADER_SIZE), count);
}

/** What an item is called: the SHA-256 of its bytes, 64 lower-case hex digits. */
export function submissionId(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/** Whether `text` can be the id of an item; what is not must never become part of a path. */
export function isSubmissionId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** How long an item may be, where what carries it takes less than the format allows; bytes with the header. */
export interface ItemLimits {
  readonly entries: number;
  readonly bytes: number;
}

const FORMAT_LIMITS: ItemLimits = { entries: MAX_ITEM_ENTRIES, bytes: MAX_ITEM_BYTES };

/**
 * Cuts any number of entries into runs that fit a submission each, in order, each as long as `most` allows: by itself, an
 * entry that does not fit at all is a run all the same.
 *
 * None for no entries. Throws `limit`, naming its place, for an entry above 65,535 bytes, before anything is cut.
 */
export function splitEntries(entries: readonly Uint8Array[], most: ItemLimits = FORMAT_LIMITS): Uint8Array[][] {
  for (const [place, entry] of entries.entries()) checkEntry(entry, place);
  const runs: Uint8Array[][] = [];
  let run: Uint8Array[] = [];
  let size = HEADER_SIZE;
  for (const entry of entries) {
    const needed = LENGTH_SIZE + entry.length;
    if (run.length > 0 && (run.length >= most.entries || size + needed > most.bytes)) {
      runs.push(run);
      run = [];
      size = HEADER_SIZE;
    }
    run.push(entry);
    size += needed;
  }
  if (run.length > 0) runs.push(run);
  return runs;
}

/** Throws `limit` for an entry that no log can hold. `place` is its index in the submission. */
export function checkEntry(entry: Uint8Array, place: number): void {
  if (entry.length <= MAX_ENTRY_SIZE) return;
  throw new SteleError(
    'limit',
    `entry ${place} has ${entry.length} bytes; a log holds at most ${MAX_ENTRY_SIZE}. Nothing was submitted`,
  );
}
