/**
 * fsck: every object that the checkpoint implies is there, and is what it commits to.
 *
 * Every entry is read and hashed. What the entries make is compared with each tile, and what they make in all with the
 * signed root, so that no tile is taken at its word. Tiles are also walked from the root down, because only that tells
 * *which* object is bad when two do not agree. A log is checked one level-1 tile (65,536 entries) at a time, so memory
 * does not grow with it.
 */
import { equalBytes, Frontier, HASH_SIZE, type Hash, rootOf } from '../merkle/index.ts';
import type { SignedCheckpoint, Verifier } from '../note/index.ts';
import type { ReadableStore } from '../store/index.ts';
import { TILE_WIDTH } from '../tiles/index.ts';
import { firstDifference } from './first-difference.ts';
import { badBundle, badTile, readPair } from './fsck-pair.ts';
import { type Problem, ProblemList, problemOf } from './fsck-problems.ts';
import { type BundleRange, type CheckedRange, checkRange } from './fsck-range.ts';
import { fill, type OpenTile, openEdge, type Step, walk } from './fsck-tree.ts';
import { LogReader } from './log-reader.ts';
import { CHECKPOINT_KEY } from './objects.ts';
import { readAhead } from './read-ahead.ts';
import { checkAborted, type Reading, type ReadingOptions, readingFrom } from './reading.ts';

export interface FsckOptions extends ReadingOptions {
  /** Checks one range of bundles, perhaps in another thread; in this one, with these options, unless given. */
  readonly checkRange?: (range: BundleRange) => Promise<CheckedRange>;
  /** Ranges to hand to `checkRange` at a time; 1 unless given. Two for each thread keep all of them busy. */
  readonly rangesInFlight?: number;
  /** Problems to list; 1,000 unless given. All are counted. */
  readonly maxProblems?: number;
  /** A checkpoint verified before, which this log must extend. */
  readonly known?: SignedCheckpoint;
  /** Called after every range. */
  readonly onProgress?: (progress: FsckProgress) => void;
}

export interface FsckProgress {
  /** Entries read and hashed. */
  readonly entries: number;
  /** Bytes of bundles read. */
  readonly bytes: number;
  /** Entries there are. */
  readonly size: number;
  readonly problemCount: number;
}

export interface FsckReport extends FsckProgress {
  readonly origin: string;
  /** The signed root. The entries make it if `problemCount` is 0. */
  readonly root: Hash;
  /** In the order they were found; cut at `maxProblems`. */
  readonly problems: readonly Problem[];
}

/**
 * Checks a whole log against the checkpoint that its store serves. The log is good if `problemCount` is 0.
 *
 * Superseded partial tiles are not looked at. Throws `unverified`, `invalid-proof`, `malformed` or `not-found` when
 * there is no checkpoint that `verifier` accepts; `fork` (a `ForkError`) when it does not extend `known`;
 * `unreachable` when the store is down; `aborted`.
 */
export async function fsck(store: ReadableStore, verifier: Verifier, options: FsckOptions = {}): Promise<FsckReport> {
  const reading = readingFrom(store, options);
  const reader = new LogReader(store, verifier, options);
  const checkpoint = await reader.checkpoint();
  const { origin, size, root } = checkpoint;
  const problems = new ProblemList(options.maxProblems ?? 1_000);
  const check = options.checkRange ?? ((range) => checkRange(store, range, options));
  let frontier: Frontier | undefined = Frontier.empty();
  let entries = 0;
  let bytes = 0;

  const edge = await openEdge(reading, checkpoint, problems);
  const steps = walkAll(reading, edge, problems);
  const run = async ({ open, range }: Step) => ({ open, checked: await check(range) });
  for await (const { open, checked } of readAhead(steps, () => options.rangesInFlight ?? 1, run)) {
    checkAborted(reading.signal);
    problems.add(...checked.problems);
    fill(open, 0, checked.roots, checked.known, problems);
    frontier = frontier && appendBundles(frontier, checked);
    entries += checked.entries;
    bytes += checked.bytes;
    options.onProgress?.({ entries, bytes, size, problemCount: problems.count });
  }

  const last = edge.find(({ level }) => level === 0);
  if (last) {
    const found = await checkPartialBundle(reading, last, checkpoint, frontier);
    problems.add(...found.problems);
    frontier = found.frontier;
    entries += found.entries;
    bytes += found.bytes;
  }
  if (frontier && !equalBytes(frontier.root(), root)) {
    const problem = `signs a root for size ${size} that is not the one that the ${size} entries make`;
    problems.add({ key: CHECKPOINT_KEY, kind: 'corrupt', problem });
  }
  if (options.known) problems.add(...(await compareWith(options.known, checkpoint, reader)));
  options.onProgress?.({ entries, bytes, size, problemCount: problems.count });
  return { origin, size, root, entries, bytes, problemCount: problems.count, problems: problems.listed };
}

/** From left to right: below the highest partial tile lie the first entries. */
async function* walkAll(
  reading: Reading,
  edge: readonly OpenTile[],
  problems: ProblemList,
): AsyncGenerator<Step, void> {
  for (const open of edge) {
    if (open.level > 0) yield* walk(reading, open, problems);
  }
}

/** Undefined when a bundle is bad: then the entries make no root. */
function appendBundles(frontier: Frontier, { roots, bundlesGood }: CheckedRange): Frontier | undefined {
  if (!bundlesGood) return undefined;
  if (roots.length === HASH_SIZE * TILE_WIDTH) {
    frontier.appendSubtree(16, rootOf(roots));
    return frontier;
  }
  for (let at = 0; at < roots.length; at += HASH_SIZE) {
    frontier.appendSubtree(8, roots.subarray(at, at + HASH_SIZE));
  }
  return frontier;
}

interface CheckedEdge {
  /** All entries of the log; undefined when a bundle is bad. */
  readonly frontier: Frontier | undefined;
  readonly entries: number;
  readonly bytes: number;
  readonly problems: readonly Problem[];
}

/**
 * Checks the last, partial bundle and the tile beside it; `frontier` has all entries before it. No tile has a hash of
 * these two: what decides is the right edge if the checkpoint proves it, else whether the entries make the root.
 */
async function checkPartialBundle(
  reading: Reading,
  edge: OpenTile,
  checkpoint: SignedCheckpoint,
  frontier: Frontier | undefined,
): Promise<CheckedEdge> {
  const { n, width } = edge.tile;
  const { stored } = edge;
  const proven = edge.standing === 'proven';
  const look = async (): Promise<CheckedEdge> => {
    const pair = await readPair(reading, n, width);
    const { made } = pair;
    const all = frontier?.clone();
    if (made) all?.append(made);
    const place = made && stored ? firstDifference(made, stored) : -1;
    const agree = made !== undefined && stored !== undefined && place < 0;
    const bundleGood = agree || (made !== undefined && all !== undefined && equalBytes(all.root(), checkpoint.root));
    // The tile's own problem, if it could not be read, was listed when the edge was.
    const problems = pair.problems.filter(({ key }) => key === pair.bundleKey);
    if (made && !bundleGood) problems.push(badBundle(pair, place, proven));
    if (stored && !agree && !proven) problems.push(badTile(pair, place, bundleGood));
    return { frontier: bundleGood ? all : undefined, entries: made ? width : 0, bytes: pair.bytes, problems };
  };
  const found = await look();
  return reading.retry.attempts > 1 && found.problems.some(({ kind }) => kind === 'corrupt') ? look() : found;
}

async function compareWith(known: SignedCheckpoint, found: SignedCheckpoint, reader: LogReader): Promise<Problem[]> {
  try {
    await reader.verifyConsistencyWith(known, found);
  } catch (error) {
    return [problemOf(CHECKPOINT_KEY, error)];
  }
  if (found.size < known.size) {
    const problem = `has size ${found.size}, but the log has signed size ${known.size}: a stale copy, or it went back in time`;
    return [{ key: CHECKPOINT_KEY, kind: 'corrupt', problem }];
  }
  return [];
}
