/**
 * Window and older entries together: the window knows the latest, `OlderEntries` what lies before it, and between them
 * there is never a gap. Without older entries all of this does nothing, and what left the window is not recognised.
 */

import type { Verifier } from '../note/index.ts';
import type { ReadableStore } from '../store/index.ts';
import { edgeTiles, TileEdge } from '../tiles/index.ts';
import { requireCheckpoint } from './checkpoints.ts';
import { findOlder, learnOlder, Misled, type OlderEntries } from './older-entries.ts';
import type { LogState } from './state.ts';
import { readEdge, VerifiedTiles } from './verified-tiles.ts';

/** What is known of entries before the window. */
export interface Found {
  /** The index of each entry that was found, by its place among those asked for; confirmed by the log. */
  readonly indices: ReadonlyMap<number, number>;
  /** Entries before this index were looked through: it answers only for a window that begins here or before. */
  readonly covered: number;
}

const NOTHING: Found = { indices: new Map(), covered: Number.POSITIVE_INFINITY };

/** Entries that are passed on at a time. */
const PORTION = 16_384;

export class Recall {
  readonly #older: OlderEntries | undefined;
  readonly #publicStore: ReadableStore;
  readonly #onMisled: (error: Error) => void;
  #teaching: Promise<void> | undefined;

  constructor(older: OlderEntries | undefined, publicStore: ReadableStore, onMisled: (error: Error) => void) {
    this.#older = older;
    this.#publicStore = publicStore;
    this.#onMisled = onMisled;
  }

  /** Closes the gap before the window of a state that was loaded, from the log's tiles. Throws as reading them does. */
  async catchUp(state: LogState): Promise<void> {
    const older = this.#older;
    if (older === undefined) return;
    if (older.covered > state.published.checkpoint.size) older.forget();
    state.window.keptFrom = older.covered; // else it lets go of more while this is read
    if (older.covered < state.window.start) await learnOlder(older, state.window.start, this.#tilesOf(state));
    state.window.keptFrom = older.covered;
  }

  /** Looks for the packed `hashes` among the entries before the window. Throws as reading the log's tiles does. */
  async find(state: LogState, hashes: Uint8Array): Promise<Found> {
    const older = this.#older;
    if (older === undefined) return NOTHING;
    for (;;) {
      // Another sequencer on this machine may have made it forget.
      if (older.covered < state.window.start) await this.catchUp(state);
      const { covered } = older;
      if (covered === 0) return { covered, indices: NOTHING.indices };
      const { size } = state.published.checkpoint;
      try {
        return { covered, indices: await findOlder(older, hashes, size, () => this.#tilesOf(state)) };
      } catch (error) {
        if (!(error instanceof Misled)) throw error;
        this.#onMisled(error);
        older.forget();
        await this.catchUp(state);
      }
    }
  }

  /**
   * Passes on what the window is to let go of, behind the caller's back; a promise to wait for when the window has
   * become so wide that memory asks for it.
   */
  teach(state: LogState): Promise<void> | undefined {
    const older = this.#older;
    if (older === undefined) return undefined;
    const { window } = state;
    const ahead = state.published.checkpoint.size - older.covered;
    if (ahead < 2 * window.capacity) return undefined;
    this.#teaching ??= passOn(older, state, older.covered + window.capacity).finally(() => {
      this.#teaching = undefined;
    });
    this.#teaching.catch(() => {}); // whoever waits for it is told; the next call tries again
    return ahead < 4 * window.capacity ? undefined : this.#teaching;
  }

  /** Passes on all that is published, so that the next start need not read it. */
  async teachAll(state: LogState): Promise<void> {
    await this.#teaching;
    if (this.#older !== undefined) await passOn(this.#older, state, state.published.checkpoint.size);
  }

  /** A reader of the published tree as it is now: the edge goes on, and lets go of what lies behind it. */
  #tilesOf({ edge, published }: LogState): VerifiedTiles {
    const { size } = published.checkpoint;
    return new VerifiedTiles(this.#publicStore, size, copyOf(edge, size));
  }
}

/**
 * Makes `older` anew from the published log, of which it then knows every entry; its size. Throws as loading does.
 * `onProgress` is told how many of how many entries are known.
 */
export async function relearn(
  older: OlderEntries,
  publicStore: ReadableStore,
  verifier: Verifier,
  onProgress: (covered: number, size: number) => void = () => {},
): Promise<number> {
  const { size, root } = (await requireCheckpoint(publicStore, verifier)).checkpoint;
  const tiles = new VerifiedTiles(publicStore, size, await readEdge(publicStore, size, root));
  older.forget();
  await learnOlder(older, size, tiles, (covered) => onProgress(covered, size));
  return size;
}

function copyOf(edge: TileEdge, size: number): TileEdge {
  const tiles = new Map(edgeTiles(size).map((tile) => [`${tile.level}/${tile.n}`, edge.tileBytes(tile)]));
  return TileEdge.load(size, (tile) => tiles.get(`${tile.level}/${tile.n}`) ?? new Uint8Array());
}

async function passOn(older: OlderEntries, { window }: LogState, end: number): Promise<void> {
  while (older.covered < end && older.covered >= window.start) {
    const first = older.covered;
    await older.add(first, window.hashes(first, Math.min(end, first + PORTION)));
    window.keptFrom = older.covered;
  }
}
