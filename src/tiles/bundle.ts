/** Entry bundles: u16 length ‖ entry, one after another, in the order of the log (TILES-15). */

import { SteleError } from '../errors.ts';
import { TILE_WIDTH } from './tile.ts';

/** Bytes of the longest entry: what a u16 can say. */
export const MAX_ENTRY_SIZE = 65_535;

const LENGTH_SIZE = 2;

/** Bytes of the longest bundle: 256 entries of the longest kind. */
export const MAX_BUNDLE_SIZE = TILE_WIDTH * (LENGTH_SIZE + MAX_ENTRY_SIZE);

/** Offsets are kept as u32. */
const MAX_PARSED_SIZE = 2 ** 32 - 1;

/**
 * The entries as a bundle. Any number of entries: journal records use the same encoding. Throws `limit`, naming the
 * entry's place, for one above 65,535 bytes.
 */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const [place, entry] of entries.entries()) {
    if (entry.length > MAX_ENTRY_SIZE) {
      throw new SteleError(
        'limit',
        `entry ${place} has ${entry.length} bytes, above the ${MAX_ENTRY_SIZE} that a log can hold`,
      );
    }
    size += LENGTH_SIZE + entry.length;
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const entry of entries) {
    view.setUint16(at, entry.length);
    bytes.set(entry, at + LENGTH_SIZE);
    at += LENGTH_SIZE + entry.length;
  }
  return bytes;
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

/** The entries at `spans`, as views of `bytes`. */
export function entriesOf(bytes: Uint8Array, spans: Uint32Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let k = 0; k < spans.length; k += 2) entries.push(bytes.subarray(spans[k], spans[k + 1]));
  return entries;
}

function malformed(bytes: Uint8Array, width: number, why: string): never {
  throw new SteleError('malformed', `${bytes.length} bytes are not a bundle of ${width} entries: ${why}`);
}
