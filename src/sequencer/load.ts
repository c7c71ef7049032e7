/**
 * Load (DESIGN §5): from two stores to the state of a writer, or a refusal. Reads only.
 *
 * Every rule here has a counterexample in test/model when it is left out.
 */

import type { Clock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import { equalBytes, type Hash } from '../merkle/index.ts';
import type { Verifier } from '../note/index.ts';
import type { ObjectStore } from '../store/index.ts';
import { TILE_WIDTH, type TileEdge } from '../tiles/index.ts';
import { requireCheckpoint, type StoredCheckpoint } from './checkpoints.ts';
import { DedupWindow, hashWords } from './dedup-window.ts';
import type { OlderEntries } from './older-entries.ts';
import { JOURNAL, type JournalRecord, MAX_RECORD_BYTES, parseRecord, parseRecordKey, recordKey } from './record.ts';
import { advance, committed, type LogState, type Segment, segmentOf, settlePublished } from './state.ts';
import { readEdge, readEdgeBundle, VerifiedTiles } from './verified-tiles.ts';

export interface LoadDependencies {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly verifier: Verifier;
  readonly clock: Clock;
  /** Random bytes from outside, so that a simulation can be replayed. */
  readonly random: (length: number) => Uint8Array;
  /** Id of the log, 16 bytes: records of another log are refused. */
  readonly logId: Uint8Array;
  readonly dedupWindow: number;
  /** What it covers need not be in the window, nor be read. */
  readonly older?: OlderEntries;
}

/** How often a load starts over because the log moved under it, before it says so. */
const MAX_ROUNDS = 50;

/** Thrown inside a load when the log has moved under it: start over. */
class Moved extends Error {}

/**
 * Loads the log. `window`, of a former state of this writer, is continued where it reaches far enough; otherwise the new
 * state has another one. Throws `unreachable` or `busy` where trying again helps, `refused`, `corrupt`.
 */
export async function load(deps: LoadDependencies, window?: DedupWindow): Promise<LogState> {
  // Kept from round to round: a log is published more often than its latest million leaf hashes can be read.
  const kept = { window };
  for (let round = 1; ; round++) {
    try {
      return await loadOnce(deps, kept);
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
      if (round === MAX_ROUNDS) {
        throw new SteleError(
          'busy',
          `the log moved ${MAX_ROUNDS} times while it was being loaded: ${error.message}; try again`,
        );
      }
      await deps.clock.sleep(Math.min(1_000, 2 ** round));
    }
  }
}

async function loadOnce(deps: LoadDependencies, kept: { window: DedupWindow | undefined }): Promise<LogState> {
  const { publicStore, privateStore, verifier } = deps;
  const start = await requireCheckpoint(publicStore, verifier);
  const { size, root } = start.checkpoint;
  const refuseUnlessMoved = async (error: SteleError): Promise<never> => {
    const now = await requireCheckpoint(publicStore, verifier);
    if (now.etag !== start.etag) throw new Moved(error.message);
    throw error;
  };

  const readPublic = async (): Promise<{ edge: TileEdge; segments: Segment[] }> => {
    const edge = await readEdge(publicStore, size, root).catch(refuseUnlessMoved);
    const run = await readEdgeBundle(publicStore, edge, size).catch(refuseUnlessMoved);
    return { edge, segments: run.length > 0 ? [segmentOf(size - (size % TILE_WIDTH), run)] : [] };
  };
  const readJournal = async (): Promise<number[]> => {
    const journal = await listJournal(privateStore);
    await checkLastRecord(deps, journal, start.checkpoint).catch(refuseUnlessMoved);
    return journal;
  };
  // Side by side: a load that takes longer than it takes others to publish twice has to start over.
  const [{ edge, segments }, journal] = await Promise.all([readPublic(), readJournal()]);
  const dedup = windowFor(deps, kept.window, size);
  kept.window = dedup;
  await fillWindow(deps, dedup, edge, size);

  const state: LogState = {
    published: { ...start, at: deps.clock.now() },
    edge,
    window: dedup,
    segments,
    boundaries: [],
    journal: journal.filter((base) => base < size),
    frozen: false,
  };
  try {
    await walk(deps, state, journal, refuseUnlessMoved);
    // Read again: what was walked counts only if the checkpoint has not left it behind meanwhile.
    const now = await requireCheckpoint(publicStore, verifier);
    if (now.etag !== start.etag) adoptMovedCheckpoint(state, start, now);
    return state;
  } catch (error) {
    dedup.truncate(size); // it may live on in the next try, and what was walked may have been a stray
    throw error;
  }
}

/** Replays every record from the published size on, each extending exactly the tree before it. */
async function walk(
  deps: LoadDependencies,
  state: LogState,
  journal: readonly number[],
  refuseUnlessMoved: (error: SteleError) => Promise<never>,
): Promise<void> {
  const { size } = state.published.checkpoint;
  const reached = new Set<number>();
  for (;;) {
    const head = committed(state);
    const record = await readRecord(deps, head.size);
    if (record === undefined) {
      if (journal.includes(head.size)) throw new Moved(`${recordKey(head.size)} is gone`);
      break;
    }
    if (!extendsTree(record, head)) await refuseUnlessMoved(notOurs(record, head));
    reached.add(head.size);
    if (record.freeze) {
      state.frozen = true;
      break;
    }
    replay(state, record, deps.clock.now());
  }
  const stray = journal.find((base) => base >= size && !reached.has(base));
  if (stray !== undefined) {
    await refuseUnlessMoved(
      new SteleError(
        'refused',
        `${recordKey(stray)} in ${deps.privateStore.url} lies beyond what can be reached from the published size ${size} (${committed(state).size}): the public store ${deps.publicStore.url} went back in time, or a record was lost; nothing was written, see \`stele recover\``,
      ),
    );
  }
}

/** The checkpoint moved during the walk: fine if it is where a walked record ends, with our root. */
function adoptMovedCheckpoint(state: LogState, start: StoredCheckpoint, now: StoredCheckpoint): void {
  const { size, root } = now.checkpoint;
  const known = [start.checkpoint, ...state.boundaries].find((boundary) => boundary.size === size);
  if (known === undefined || !equalBytes(known.root, root)) throw new Moved(`the checkpoint went to size ${size}`);
  settlePublished(state, { ...now, at: state.published.at });
}

/** The base sizes that the keys of the journal name, ascending. */
export async function listJournal(privateStore: ObjectStore): Promise<number[]> {
  const bases: number[] = [];
  for await (const { key } of privateStore.list(JOURNAL)) {
    const base = parseRecordKey(key);
    if (base !== undefined) bases.push(base);
  }
  return bases.sort((a, b) => a - b);
}

export async function readRecord(
  deps: Pick<LoadDependencies, 'privateStore' | 'logId'>,
  base: number,
): Promise<JournalRecord | undefined> {
  const key = recordKey(base);
  const object = await deps.privateStore.get(key, { maxBytes: MAX_RECORD_BYTES });
  if (object === undefined) return undefined;
  const refuse = (what: string, cause?: unknown): never => {
    throw new SteleError(
      'refused',
      `${what} (in ${deps.privateStore.url}); nothing was written, see \`stele recover\``,
      { cause },
    );
  };
  let record: JournalRecord;
  try {
    record = parseRecord(key, object.bytes);
  } catch (cause) {
    return refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (!equalBytes(record.logId, deps.logId)) return refuse(`${key} belongs to another log`);
  if (record.baseSize !== base) return refuse(`${key} says that it extends size ${record.baseSize}`);
  return record;
}

/** A published tree has its last record: without it the stores do not belong together, or one went back in time. */
async function checkLastRecord(
  deps: LoadDependencies,
  journal: readonly number[],
  tree: { size: number; root: Hash },
): Promise<void> {
  if (tree.size === 0) return;
  const refuse = (what: string): never => {
    throw new SteleError(
      'refused',
      `${what}: the private store ${deps.privateStore.url} and the public store ${deps.publicStore.url} (size ${tree.size}) do not belong together, or one of them went back in time; nothing was written, see \`stele recover\``,
    );
  };
  const base = journal.findLast((start) => start < tree.size);
  if (base === undefined) return refuse('the journal has no record of the published tree');
  const record = await readRecord(deps, base);
  if (record === undefined) return refuse(`${recordKey(base)} was listed and is gone`);
  if (record.newSize !== tree.size) {
    return refuse(`the last journal record below the published size, ${recordKey(base)}, ends at ${record.newSize}`);
  }
  if (!equalBytes(record.newRoot, tree.root))
    return refuse(`${recordKey(base)} ends at the published size with another root`);
}

export function extendsTree(record: JournalRecord, head: { size: number; root: Hash }): boolean {
  return record.baseSize === head.size && equalBytes(record.baseRoot, head.root);
}

export function notOurs(record: JournalRecord, head: { size: number }): SteleError {
  return new SteleError(
    'refused',
    `${recordKey(record.baseSize)} extends another tree of size ${head.size} than the one that is published: the stores do not belong together, or one went back in time; nothing was written, see \`stele recover\``,
  );
}

/** Appends a committed record of another writer, or of our own former life, to the state. Throws `refused`. */
export function replay(state: LogState, record: JournalRecord, seen: number): void {
  const { hashes } = record.entries;
  state.edge.append(hashes);
  if (!equalBytes(state.edge.root(), record.newRoot)) {
    throw new SteleError(
      'refused',
      `the entries of ${recordKey(record.baseSize)} do not make the root it states; see \`stele recover\``,
    );
  }
  const words = hashWords(hashes);
  for (let i = 0; i < words.length / 8; i++) state.window.push(words, i);
  const segment = segmentOf(record.baseSize, record.entries);
  advance(state, record.baseSize, [segment], { size: record.newSize, root: record.newRoot, own: false, seen });
}

/**
 * A window that reaches `dedupWindow` entries back from `size`, or to what is known of older entries: the former one where
 * it goes on, else one to be filled. A start that reads a million leaf hashes, each minute from cron, costs more than the log.
 */
function windowFor(
  { dedupWindow, random, older }: LoadDependencies,
  former: DedupWindow | undefined,
  size: number,
): DedupWindow {
  if (former !== undefined && size - former.end <= dedupWindow && former.start <= size) return former;
  const covered = older === undefined || older.covered > size ? 0 : older.covered;
  return new DedupWindow(dedupWindow, Math.max(covered, size - dedupWindow), random(8));
}

/** Brings the window to the published size: what it lacks is read from the verified tiles. */
async function fillWindow(deps: LoadDependencies, window: DedupWindow, edge: TileEdge, size: number): Promise<void> {
  if (window.end > size) window.truncate(size);
  const tiles = new VerifiedTiles(deps.publicStore, size, edge);
  for await (const { hashes } of tiles.leafHashes(window.end, size)) {
    const words = hashWords(hashes);
    for (let i = 0; i < words.length / 8; i++) window.push(words, i);
  }
  window.release(size);
}
