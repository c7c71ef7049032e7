/**
 * One request for one object of a log: bounded, of the right length, and with the full object standing in for a
 * partial one that is gone. Nothing here is verified, and nothing is tried twice.
 */
import { isSteleError, SteleError } from '../errors.ts';
import { HASH_SIZE } from '../merkle/index.ts';
import { MAX_BUNDLE_SIZE, MAX_ENTRY_SIZE, parseBundle, TILE_WIDTH, type Tile, tilePath } from '../tiles/index.ts';
import type { Reading } from './reading.ts';

export const CHECKPOINT_KEY = 'checkpoint';
/** The note that names the log that follows a frozen one. */
export const SUCCESSOR_KEY = 'successor';

/** 1 MiB: a note of the most signatures that anyone collects is far below. */
const MAX_CHECKPOINT_SIZE = 2 ** 20;

/** Entries of one bundle in the form that `hashLeaves` takes: entry i is `bytes[spans[2i], spans[2i+1])`. */
export interface Bundle {
  readonly bytes: Uint8Array;
  readonly spans: Uint32Array;
}

/** The bytes of the served checkpoint, unverified. Throws `not-found`, `malformed` (too long), `unreachable`. */
export async function getCheckpoint(reading: Reading): Promise<Uint8Array> {
  const bytes = await getBounded(reading, CHECKPOINT_KEY, MAX_CHECKPOINT_SIZE, 'malformed');
  return bytes ?? absent(reading, CHECKPOINT_KEY);
}

/** The bytes of the note that names a successor, unverified; undefined where there is none. Throws `malformed` (too long). */
export function getSuccessor(reading: Reading): Promise<Uint8Array | undefined> {
  return getBounded(reading, SUCCESSOR_KEY, MAX_CHECKPOINT_SIZE, 'malformed');
}

/**
 * The packed hashes of a tile, exactly `tile.width` of them, unverified. A log may drop a partial tile once the full
 * one is served (TILES-13), so that is cut to width where the partial one is absent (TILES-14).
 * Throws `not-found`, `corrupt` (length), `unreachable`.
 */
export async function getHashTile(reading: Reading, tile: Tile): Promise<Uint8Array> {
  const wanted = await getHashes(reading, tile);
  if (wanted) return wanted;
  const full = tile.width < TILE_WIDTH ? await getHashes(reading, { ...tile, width: TILE_WIDTH }) : undefined;
  return full?.subarray(0, HASH_SIZE * tile.width) ?? absent(reading, tilePath(tile));
}

/**
 * The first `width` entries of bundle `n`, unverified, from the full bundle where the partial one is absent.
 * Throws `not-found`, `corrupt` (not a bundle of that many entries), `unreachable`.
 */
export async function getBundle(reading: Reading, n: number, width: number): Promise<Bundle> {
  const wanted = await getEntries(reading, { level: 'entries', n, width });
  if (wanted) return wanted;
  const full = width < TILE_WIDTH && (await getEntries(reading, { level: 'entries', n, width: TILE_WIDTH }));
  if (full) return { bytes: full.bytes, spans: full.spans.subarray(0, 2 * width) };
  return absent(reading, tilePath({ level: 'entries', n, width }));
}

async function getHashes(reading: Reading, tile: Tile): Promise<Uint8Array | undefined> {
  const key = tilePath(tile);
  const length = HASH_SIZE * tile.width;
  const bytes = await getBounded(reading, key, length, 'corrupt');
  if (bytes && bytes.length !== length) {
    throw new SteleError('corrupt', `${key} of ${reading.store.url} has ${bytes.length} bytes, expected ${length}`);
  }
  return bytes;
}

async function getEntries(reading: Reading, tile: Tile): Promise<Bundle | undefined> {
  const key = tilePath(tile);
  const maxBytes = tile.width === TILE_WIDTH ? MAX_BUNDLE_SIZE : tile.width * (2 + MAX_ENTRY_SIZE);
  const bytes = await getBounded(reading, key, maxBytes, 'corrupt');
  if (!bytes) return undefined;
  try {
    return { bytes, spans: parseBundle(bytes, tile.width) };
  } catch (error) {
    if (isSteleError(error, 'malformed')) {
      throw new SteleError('corrupt', `${key} of ${reading.store.url}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

async function getBounded(
  reading: Reading,
  key: string,
  maxBytes: number,
  codeWhenLonger: 'malformed' | 'corrupt',
): Promise<Uint8Array | undefined> {
  const { store, signal } = reading;
  let bytes: Uint8Array | undefined;
  try {
    bytes = (await store.get(key, { maxBytes, ...(signal && { signal }) }))?.bytes;
  } catch (error) {
    if (!isSteleError(error, 'limit')) throw error;
    throw new SteleError(codeWhenLonger, `${key} of ${store.url} is longer than ${maxBytes} bytes`, { cause: error });
  }
  // A store that someone else wrote may not know `maxBytes`.
  if (bytes && bytes.length > maxBytes) {
    throw new SteleError(
      codeWhenLonger,
      `${key} of ${store.url} has ${bytes.length} bytes, at most ${maxBytes} are possible`,
    );
  }
  return bytes;
}

function absent(reading: Reading, key: string): never {
  throw new SteleError('not-found', `${key} does not exist in ${reading.store.url}`);
}
