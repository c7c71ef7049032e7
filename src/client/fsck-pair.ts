/** A bundle and the level-0 tile beside it: the two objects that speak of the same entries. */
import { equalBytes, type Hash, hashLeaves, rootOf } from '../merkle/index.ts';
import { TILE_WIDTH, tilePath } from '../tiles/index.ts';
import { firstDifference } from './first-difference.ts';
import { type Problem, problemOf } from './fsck-problems.ts';
import { getBundle, getHashTile } from './objects.ts';
import { type Reading, retrying } from './reading.ts';

export interface Pair {
  readonly n: number;
  readonly bundleKey: string;
  readonly tileKey: string;
  /** The hashes that the bundle's entries have; undefined when it could not be read. */
  readonly made: Uint8Array | undefined;
  /** The hashes that the tile has; undefined when it could not be read. */
  readonly stored: Uint8Array | undefined;
  /** Length of the bundle in bytes. */
  readonly bytes: number;
  /** Why either could not be read. */
  readonly problems: readonly Problem[];
}

export async function readPair(reading: Reading, n: number, width: number): Promise<Pair> {
  const bundleKey = tilePath({ level: 'entries', n, width });
  const tileKey = tilePath({ level: 0, n, width });
  const problems: Problem[] = [];
  const readOrNote = <T>(key: string, read: () => Promise<T>): Promise<T | undefined> =>
    retrying(reading, read).catch((error) => {
      problems.push(problemOf(key, error));
      return undefined;
    });
  // Hashed on arrival, so that what waits for its turn is 8 KiB a bundle and not 16 MiB.
  const hashBundle = async () => {
    const { bytes, spans } = await getBundle(reading, n, width);
    return { hashes: hashLeaves(bytes, spans), bytes: bytes.length };
  };
  const [bundle, stored] = await Promise.all([
    readOrNote(bundleKey, hashBundle),
    readOrNote(tileKey, () => getHashTile(reading, { level: 0, n, width })),
  ]);
  return { n, bundleKey, tileKey, made: bundle?.hashes, stored, bytes: bundle?.bytes ?? 0, problems };
}

export interface JudgedPair {
  /** The hash of its 256 entries: as the bundle makes it, or as the tile and `expected` agree on; else undefined. */
  readonly root: Hash | undefined;
  /** Whether the bundle itself is good. */
  readonly bundleGood: boolean;
  readonly problems: readonly Problem[];
}

/**
 * Tells which of a full bundle and its tile is bad. `expected` is the hash that the tile above has for them. If the
 * checkpoint proves it (`proven`) it decides; else it is a third opinion, and two that agree outvote the one that does
 * not: damage does not make two objects agree, and forgery ends at the signed root.
 */
export function judgePair(pair: Pair, expected: Hash | undefined, proven: boolean): JudgedPair {
  const { made, stored } = pair;
  const place = made && stored ? firstDifference(made, stored) : -1;
  const agree = made !== undefined && stored !== undefined && place < 0;
  const madeRoot = made && rootOf(made);
  const isExpected = (root: Hash | undefined) =>
    root !== undefined && expected !== undefined && equalBytes(root, expected);
  const bundleBacked = isExpected(madeRoot);
  const tileBacked = agree ? bundleBacked : isExpected(stored && rootOf(stored));
  const decided = proven || bundleBacked || tileBacked;

  const bundleGood = bundleBacked || (agree && !proven);
  const tileGood = tileBacked || (agree && !proven);
  const problems = [...pair.problems];
  if (made && !bundleGood) problems.push(badBundle(pair, place, decided));
  if (stored && !tileGood) problems.push(badTile(pair, place, decided));
  return { root: bundleGood ? madeRoot : decided ? expected : undefined, bundleGood, problems };
}

/** `place`: the first hash in which the two differ, or −1. */
export function badBundle({ n, bundleKey, tileKey }: Pair, place: number, decided: boolean): Problem {
  const entry = n * TILE_WIDTH + place;
  const difference =
    place < 0 ? 'its entries' : `entry ${entry} does not hash to what ${tileKey} has for it; its entries`;
  return problemWith(bundleKey, difference, decided);
}

/** `place`: the first hash in which the two differ, or −1. */
export function badTile({ n, bundleKey, tileKey }: Pair, place: number, decided: boolean): Problem {
  const entry = n * TILE_WIDTH + place;
  const difference =
    place < 0 ? 'its hashes' : `hash ${place} is not that of entry ${entry} in ${bundleKey}; its hashes`;
  return problemWith(tileKey, difference, decided);
}

function problemWith(key: string, what: string, decided: boolean): Problem {
  return decided
    ? { key, kind: 'corrupt', problem: `${what} do not make what the tree above has for them` }
    : { key, kind: 'unproven', problem: `${what} cannot be proven, for objects that could prove it are bad` };
}
