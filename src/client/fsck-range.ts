/**
 * The part of fsck that reads and hashes all entries: full bundles and the tiles beside them, a range at a time. A
 * range is plain data, and so is what is found, so that another thread can do it.
 */
import { SteleError } from '../errors.ts';
import { HASH_SIZE } from '../merkle/index.ts';
import type { ReadableStore } from '../store/index.ts';
import { TILE_WIDTH } from '../tiles/index.ts';
import { judgePair, readPair } from './fsck-pair.ts';
import type { Problem } from './fsck-problems.ts';
import { ReadAheadDepth, readAhead } from './read-ahead.ts';
import { checkAborted, type ReadingOptions, readingFrom } from './reading.ts';

/** Bundles read ahead, each with its tile: 32 requests in flight. */
const BUNDLES_AHEAD = 16;

/** Bundles in a row of which an object was unreachable before the store counts as down; bad sectors come in smaller runs. */
const MAX_UNREACHABLE = 64;

/** The full bundles below one level-1 tile. */
export interface BundleRange {
  readonly firstBundle: number;
  /** The bundle after the last; at most 256 after the first. */
  readonly endBundle: number;
  /** The hashes that the level-1 tile has for them, packed; absent when it could not be read. */
  readonly expected?: Uint8Array;
  /** Whether the checkpoint proves `expected`. If not, it only helps to tell which of two objects is bad. */
  readonly proven: boolean;
}

export interface CheckedRange {
  /** Per bundle the hash of its 256 entries, packed; where a bundle is bad, what other objects say it should be. */
  readonly roots: Uint8Array;
  /** Per bundle 1, or 0 when nothing can tell its root. */
  readonly known: Uint8Array;
  /** Whether all bundles are good: only then are `roots` what the entries make. */
  readonly bundlesGood: boolean;
  /** Entries and bytes of bundles that could be read. */
  readonly entries: number;
  readonly bytes: number;
  readonly problems: readonly Problem[];
}

/**
 * Reads the bundles of a range and the level-0 tiles beside them, hashes every entry, and lists what is bad. Memory is
 * bounded by what is in flight, 64 MiB of bundles. Throws only `aborted`, and `unreachable` when the store is down.
 */
export async function checkRange(
  store: ReadableStore,
  range: BundleRange,
  options: ReadingOptions = {},
): Promise<CheckedRange> {
  const reading = readingFrom(store, options);
  const width = range.endBundle - range.firstBundle;
  const roots = new Uint8Array(HASH_SIZE * width);
  const known = new Uint8Array(width);
  const problems: Problem[] = [];
  const depth = new ReadAheadDepth(BUNDLES_AHEAD);
  let bundlesGood = true;
  let entries = 0;
  let bytes = 0;
  let unreachable = 0;

  const check = async (place: number) => {
    const n = range.firstBundle + place;
    const expected = range.expected?.subarray(HASH_SIZE * place, HASH_SIZE * (place + 1));
    const look = async () => {
      const pair = await readPair(reading, n, TILE_WIDTH);
      depth.seen(pair.bytes);
      return { place, bytes: pair.bytes, ...judgePair(pair, expected, range.proven) };
    };
    const found = await look();
    // A copy on the way may be torn or stale: what looks corrupt is read once more.
    const again = reading.retry.attempts > 1 && found.problems.some(({ kind }) => kind === 'corrupt');
    return again ? look() : found;
  };

  for await (const found of readAhead(Array(width).keys(), () => depth.reads, check)) {
    checkAborted(reading.signal);
    problems.push(...found.problems);
    const failure = found.problems.find(({ kind }) => kind === 'unreachable');
    unreachable = failure ? unreachable + 1 : 0;
    if (failure && unreachable === MAX_UNREACHABLE) {
      throw new SteleError(
        'unreachable',
        `${store.url} failed for ${unreachable} bundles in a row: ${failure.problem}`,
      );
    }
    bundlesGood &&= found.bundleGood;
    if (found.root) {
      roots.set(found.root, HASH_SIZE * found.place);
      known[found.place] = 1;
    }
    entries += found.bytes > 0 ? TILE_WIDTH : 0;
    bytes += found.bytes;
  }
  return { roots, known, bundlesGood, entries, bytes, problems };
}
