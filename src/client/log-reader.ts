import { SteleError } from '../errors.ts';
import { consistencyRanges, equalBytes, type Hash, hashLeaves, inclusionRanges, type Range } from '../merkle/index.ts';
import {
  type Checkpoint,
  formatProof,
  openCheckpoint,
  openSuccessor,
  type SignedCheckpoint,
  type Successor,
  type Verifier,
} from '../note/index.ts';
import type { ReadableStore } from '../store/index.ts';
import { TILE_WIDTH, tilePath, tileWidth } from '../tiles/index.ts';
import { findLeaf } from './find-leaf.ts';
import { firstDifference } from './first-difference.ts';
import { type Followed, type FollowOptions, follow } from './follow.ts';
import { ForkError } from './fork.ts';
import { type Bundle, getBundle, getCheckpoint, getSuccessor } from './objects.ts';
import { ReadAheadDepth, readAhead } from './read-ahead.ts';
import { checkAborted, type Reading, type ReadingOptions, readingFrom, retrying } from './reading.ts';
import { VerifiedTiles } from './verified-tiles.ts';

export interface ReaderOptions extends ReadingOptions {
  /** Verified full tiles to keep, 16 KiB each with the tree above their hashes; 1,024 unless given. */
  readonly cachedTiles?: number;
  /** Bundles that `entries` may read ahead, within 64 MiB; 8 unless given. */
  readonly bundlesAhead?: number;
}

/** One entry with its place in the log. */
export interface LogEntry {
  readonly index: number;
  /** A view of the bundle that it came in: copy it to keep it for long. */
  readonly entry: Uint8Array;
}

/**
 * Reads one log, trusting nothing but its key.
 *
 * Everything is proven to be in the tree of the checkpoint that the caller hands in, so answers about one checkpoint
 * belong together however the log grows meanwhile. Each method throws, besides what it names: `corrupt` when the store
 * keeps serving other bytes than the checkpoint commits to, naming the object; `not-found` when an object stays
 * absent; `unreachable`; `aborted`.
 */
export class LogReader {
  readonly #reading: Reading;
  readonly #verifier: Verifier;
  readonly #tiles: VerifiedTiles;
  readonly #bundlesAhead: number;

  constructor(store: ReadableStore, verifier: Verifier, options: ReaderOptions = {}) {
    this.#reading = readingFrom(store, options);
    this.#verifier = verifier;
    this.#tiles = new VerifiedTiles(this.#reading, options.cachedTiles ?? 1_024);
    this.#bundlesAhead = options.bundlesAhead ?? 8;
  }

  /**
   * What the store serves as checkpoint now, with the log's signature verified; nothing else about it is.
   * Throws `unverified`, `invalid-proof` or `malformed` as `openCheckpoint` does.
   */
  async checkpoint(): Promise<SignedCheckpoint> {
    const read = async () => openCheckpoint(await getCheckpoint(this.#reading), this.#verifier);
    const checkpoint = await retrying(this.#reading, read, { implied: false });
    this.#reading.absence.outlasted = false;
    return checkpoint;
  }

  /**
   * The log that follows this one, where it is frozen and names one: by a note under this log's own key, of the very tree
   * of `checkpoint`. Throws `invalid-proof` where the log grew after it was said to have ended, and as `openSuccessor`.
   */
  async successor(checkpoint: Checkpoint): Promise<Successor | undefined> {
    const bytes = await retrying(this.#reading, () => getSuccessor(this.#reading), { implied: false });
    if (bytes === undefined) return undefined;
    const successor = openSuccessor(bytes, this.#verifier);
    if (successor.size === checkpoint.size && equalBytes(successor.root, checkpoint.root)) return successor;
    throw new SteleError(
      'invalid-proof',
      `${this.#verifier.name} is said to have ended at size ${successor.size}, and its checkpoint has ${checkpoint.size}`,
    );
  }

  /** One entry. Throws `not-found` for an index that is not in the checkpoint's tree. */
  async entry(index: number, checkpoint: Checkpoint): Promise<Uint8Array> {
    checkIndex(index, checkpoint);
    const n = Math.floor(index / TILE_WIDTH);
    return entryAt(await this.#bundle(n, checkpoint), index % TILE_WIDTH);
  }

  /**
   * The entries start ≤ index < end, in order; bundles are read ahead. Each bundle is verified as a whole, before any
   * entry of it is yielded. Throws `not-found` for a range that is not in the checkpoint's tree.
   */
  async *entries(start: number, end: number, checkpoint: Checkpoint): AsyncGenerator<LogEntry, void> {
    checkWithin({ start, end }, checkpoint);
    const depth = new ReadAheadDepth(this.#bundlesAhead);
    const read = async (part: BundlePart) => ({ ...part, bundle: await this.#bundle(part.n, checkpoint) });
    const parts = readAhead(bundleParts(start, end), () => depth.reads, read);
    for await (const { n, start: from, end: to, bundle } of parts) {
      depth.seen(bundle.bytes.length);
      for (let place = from; place < to; place++) {
        yield { index: n * TILE_WIDTH + place, entry: entryAt(bundle, place) };
      }
      checkAborted(this.#reading.signal);
    }
  }

  /**
   * The index of the latest entry with this leaf hash, or undefined where the checkpoint's tree has none: an answer that
   * cost reading all leaf hashes. `onProgress` is told how many were looked at.
   */
  find(
    leafHash: Hash,
    checkpoint: Checkpoint,
    onProgress: (looked: number, size: number) => void = () => {},
  ): Promise<number | undefined> {
    return findLeaf(this.#tiles, leafHash, checkpoint, onProgress);
  }

  /** The audit path of RFC 6962 §2.1.1, for `verifyInclusion`. Throws `not-found` for an index not in the tree. */
  async inclusionProof(index: number, checkpoint: Checkpoint): Promise<Hash[]> {
    checkIndex(index, checkpoint);
    return this.#hashesOf(inclusionRanges(index, checkpoint.size), checkpoint);
  }

  /**
   * The proof of RFC 6962 §2.1.2 that the tree of the first `newSize` entries (the checkpoint's, unless given) extends
   * that of the first `oldSize`, for `verifyConsistency`. Throws `not-found` for a size above the checkpoint's.
   */
  async consistencyProof(oldSize: number, checkpoint: Checkpoint, newSize = checkpoint.size): Promise<Hash[]> {
    checkWithin({ start: 0, end: newSize }, checkpoint);
    checkWithin({ start: oldSize, end: newSize }, checkpoint);
    return this.#hashesOf(consistencyRanges(oldSize, newSize), checkpoint);
  }

  /** A c2sp.org/tlog-proof file: the inclusion proof and the checkpoint's note. Throws as `inclusionProof`. */
  async prove(index: number, checkpoint: SignedCheckpoint): Promise<Uint8Array> {
    return formatProof({ index, hashes: await this.inclusionProof(index, checkpoint), checkpoint: checkpoint.bytes });
  }

  /** The root that the first `size` entries of the checkpoint's tree have. Throws `not-found` above its size. */
  async rootAt(size: number, checkpoint: Checkpoint): Promise<Hash> {
    checkWithin({ start: 0, end: size }, checkpoint);
    return size === checkpoint.size ? checkpoint.root : this.#tiles.rangeHash({ start: 0, end: size }, checkpoint);
  }

  /**
   * Holds `found` (what the store serves now, unless given) against a checkpoint that was verified before, and returns
   * the larger. A smaller one that `known` extends is only a stale copy.
   *
   * Throws `fork`, a `ForkError` with both, when neither extends the other; `corrupt` when the store serves a smaller
   * checkpoint and has lost tiles of the tree that it once signed.
   */
  async verifyConsistencyWith(known: SignedCheckpoint, found?: SignedCheckpoint): Promise<SignedCheckpoint> {
    const other = found ?? (await this.checkpoint());
    if (other.origin !== known.origin) {
      throw new SteleError('config', `the known checkpoint is of ${known.origin}, the other one of ${other.origin}`);
    }
    const [older, newer] = other.size < known.size ? [other, known] : [known, other];
    if (!equalBytes(await this.#rootOfOlder(older, newer, known), older.root)) throw new ForkError(known, other);
    return newer;
  }

  /**
   * Yields the log's checkpoint and then every larger one that the store comes to serve, each verified to extend the
   * one before it; with `known`, from the first that is larger. Never goes back: see `verifyConsistencyWith`, which
   * names what it throws. Ends when `signal` aborts.
   */
  follow(known: SignedCheckpoint | undefined, options: FollowOptions): AsyncGenerator<Followed, void> {
    return follow(this, this.#reading.clock, known, options);
  }

  async #rootOfOlder(older: Checkpoint, newer: Checkpoint, known: Checkpoint): Promise<Hash> {
    try {
      return await this.rootAt(older.size, newer);
    } catch (error) {
      if (newer === known && error instanceof SteleError && ['not-found', 'corrupt'].includes(error.code)) {
        throw new SteleError(
          'corrupt',
          `${this.#reading.store.url} serves a checkpoint of size ${older.size} although the log has signed one of size ` +
            `${newer.size}, and no longer serves that tree: it went back in time (${error.message})`,
          { cause: error },
        );
      }
      throw error;
    }
  }

  #hashesOf(ranges: readonly Range[], checkpoint: Checkpoint): Promise<Hash[]> {
    return Promise.all(ranges.map((range) => this.#tiles.rangeHash(range, checkpoint)));
  }

  /** Bundle n of the checkpoint's tree, every entry verified. */
  async #bundle(n: number, checkpoint: Checkpoint): Promise<Bundle> {
    const width = tileWidth('entries', n, checkpoint.size);
    // Asked for while its tile is; looked at only when that is proven.
    const early = getBundle(this.#reading, n, width);
    early.catch(() => {});
    const expected = await this.#tiles.hashes({ level: 0, n, width }, checkpoint);
    return retrying(this.#reading, async (attempt) => {
      const bundle = attempt === 1 ? await early : await getBundle(this.#reading, n, width);
      const wrong = firstDifference(hashLeaves(bundle.bytes, bundle.spans), expected);
      if (wrong >= 0) {
        const key = tilePath({ level: 'entries', n, width });
        const { url } = this.#reading.store;
        throw new SteleError(
          'corrupt',
          `${key} of ${url}: entry ${n * TILE_WIDTH + wrong} is not the one that the checkpoint commits to`,
        );
      }
      return bundle;
    });
  }
}

/** Entries [start, end) of bundle n, counted within it. */
export interface BundlePart extends Range {
  readonly n: number;
}

/** The parts of bundles that make up the entries start ≤ index < end, in order. */
export function* bundleParts(start: number, end: number): Generator<BundlePart, void> {
  for (let at = start; at < end; ) {
    const n = Math.floor(at / TILE_WIDTH);
    const stop = Math.min(end, (n + 1) * TILE_WIDTH);
    yield { n, start: at - n * TILE_WIDTH, end: stop - n * TILE_WIDTH };
    at = stop;
  }
}

function entryAt({ bytes, spans }: Bundle, place: number): Uint8Array {
  return bytes.subarray(spans[2 * place], spans[2 * place + 1]);
}

function checkIndex(index: number, checkpoint: Checkpoint): void {
  if (!Number.isSafeInteger(index) || index < 0 || index >= checkpoint.size) {
    throw new SteleError('not-found', `there is no entry ${index} in a log of ${checkpoint.size} entries`);
  }
}

function checkWithin({ start, end }: Range, checkpoint: Checkpoint): void {
  const inLog = Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end;
  if (!inLog || end > checkpoint.size) {
    throw new SteleError('not-found', `entries ${start} to ${end} are not in a log of ${checkpoint.size} entries`);
  }
}
