/**
 * The journal record (tiles-spec/journal.md): one batch of entries and the tree it extends. Creating it is the commit.
 *
 * | bytes | field                                                            |
 * |-------|------------------------------------------------------------------|
 * | 16    | `stele-journal/v2`                                               |
 * | 16    | id of the log                                                    |
 * | 16    | nonce: random, its writer knows its own record by it             |
 * | 8     | base size, big-endian: the tree this record extends; also its key|
 * | 32    | root of that tree                                                |
 * | 8     | new size = base size + number of entries                         |
 * | 32    | root of the new tree                                             |
 * | 4     | flags: 1 = freeze, all else 0                                    |
 * | 4     | length of the payload                                            |
 * | …     | payload: the entries, u16 length ‖ bytes each                    |
 * | 32    | SHA-256 of the fields before the payload and of its leaf hashes  |
 *
 * The leaf hashes are what the log needs of every entry anyway; a second pass over all bytes cost as much. A record of
 * version 1, of which everything but this is the same, ends with the SHA-256 of all of the above: it is read, and no
 * longer written.
 */

import { SteleError } from '../errors.ts';
import { equalBytes, sha256Pieces } from '../merkle/index.ts';
import { totalLength } from '../store/index.ts';
import { type EntryRun, type HashedRun, hashedRun, parseRun } from '../tiles/index.ts';

export const MAX_RECORD_BYTES = 16 * 2 ** 20;
export const MAX_RECORD_ENTRIES = 65_536;
const HEADER = 136;
const DIGEST = 32;
/** What a record has besides its payload, in bytes. */
export const RECORD_OVERHEAD = HEADER + DIGEST;
const MAGIC = new TextEncoder().encode('stele-journal/v2');
const MAGIC_V1 = new TextEncoder().encode('stele-journal/v1');
const FREEZE = 1;

export interface RecordHeader {
  readonly logId: Uint8Array;
  readonly nonce: Uint8Array;
  readonly baseSize: number;
  readonly baseRoot: Uint8Array;
  readonly newSize: number;
  readonly newRoot: Uint8Array;
  readonly freeze: boolean;
}

export interface JournalRecord extends RecordHeader {
  /** The whole record, as stored. */
  readonly bytes: Uint8Array;
  /** A view into `bytes`. */
  readonly entries: HashedRun;
}

/** A record, in pieces to be written one after another; those of the payload are the very bytes that were given. */
export function encodeRecord(header: RecordHeader, entries: readonly HashedRun[]): Uint8Array[] {
  const payload = entries.map((run) => run.bytes);
  const bytes = new Uint8Array(HEADER);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  bytes.set(header.logId, 16);
  bytes.set(header.nonce, 32);
  view.setBigUint64(48, BigInt(header.baseSize));
  bytes.set(header.baseRoot, 56);
  view.setBigUint64(88, BigInt(header.newSize));
  bytes.set(header.newRoot, 96);
  view.setUint32(128, header.freeze ? FREEZE : 0);
  view.setUint32(132, totalLength(payload));
  return [bytes, ...payload, sha256Pieces([bytes, ...entries.map((run) => run.hashes)])];
}

/** Reads a record, of which nothing is believed. Throws `malformed` naming `key`. */
export function parseRecord(key: string, bytes: Uint8Array): JournalRecord {
  const fail = (what: string): never => {
    throw new SteleError('malformed', `journal record ${key}: ${what}`);
  };
  if (bytes.length < HEADER + DIGEST) return fail(`${bytes.length} bytes, too short for a record`);
  if (bytes.length > MAX_RECORD_BYTES) return fail(`${bytes.length} bytes, more than ${MAX_RECORD_BYTES}`);
  const isV1 = equalBytes(bytes.subarray(0, 16), MAGIC_V1);
  if (!isV1 && !equalBytes(bytes.subarray(0, 16), MAGIC)) return fail('does not start with "stele-journal/v2"');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const baseSize = Number(view.getBigUint64(48));
  const newSize = Number(view.getBigUint64(88));
  const flags = view.getUint32(128);
  const payload = bytes.subarray(HEADER, bytes.length - DIGEST);
  if (view.getUint32(132) !== payload.length) return fail('the payload is not as long as it says');
  if (!Number.isSafeInteger(baseSize) || !Number.isSafeInteger(newSize)) return fail('a size above 2^53-1');
  const count = newSize - baseSize;
  if (count < 0 || count > MAX_RECORD_ENTRIES) return fail(`${count} entries`);
  if (flags !== 0 && flags !== FREEZE) return fail(`unknown flags ${flags}`);
  if ((count === 0) !== (flags === FREEZE)) return fail('only a freeze has no entries, and it has none');
  const entries = hashedRun(parsed(payload, count, fail));
  const covered = isV1 ? [bytes.subarray(0, bytes.length - DIGEST)] : [bytes.subarray(0, HEADER), entries.hashes];
  const digest = bytes.subarray(bytes.length - DIGEST);
  if (!equalBytes(sha256Pieces(covered), digest)) return fail('its SHA-256 does not match');
  return {
    bytes,
    entries,
    logId: bytes.subarray(16, 32),
    nonce: bytes.subarray(32, 48),
    baseSize,
    baseRoot: bytes.subarray(56, 88),
    newSize,
    newRoot: bytes.subarray(96, 128),
    freeze: flags === FREEZE,
  };
}

function parsed(payload: Uint8Array, count: number, fail: (what: string) => never): EntryRun {
  try {
    return parseRun(payload, count);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** `journal/0000000000001234`: the base size in 16 digits, so that byte order is the order of the log. */
export function recordKey(baseSize: number): string {
  return `${JOURNAL}${String(baseSize).padStart(16, '0')}`;
}

/** The base size that a key of the journal names, or undefined for a stranger's object. */
export function parseRecordKey(key: string): number | undefined {
  const digits = key.slice(JOURNAL.length);
  if (!key.startsWith(JOURNAL) || !/^\d{16}$/.test(digits)) return undefined;
  const size = Number(digits);
  return Number.isSafeInteger(size) ? size : undefined;
}

export const JOURNAL = 'journal/';
