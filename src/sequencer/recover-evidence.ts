/**
 * Recover, first step: what the stores say of a log, piece by piece. Reads only.
 *
 * Believed so far: this log's own signatures, and the digests of journal records. What the pieces say together is for
 * `recover-plan.ts`, whether the entries bear it out for `recover-tree.ts`.
 */

import { isSteleError, SteleError } from '../errors.ts';
import { equalBytes, type Hash, type Range } from '../merkle/index.ts';
import { openCheckpoint, type SignedCheckpoint, type Verifier } from '../note/index.ts';
import type { ETag, ObjectStore, ReadableStore } from '../store/index.ts';
import { TILE_WIDTH, type Tile } from '../tiles/index.ts';
import { CHECKPOINT_KEY, MAX_CHECKPOINT_BYTES } from './checkpoints.ts';
import { DESCRIPTION_KEY, idBytes, type LogDescription, readDescription } from './description.ts';
import { listTiles } from './list-tiles.ts';
import { listJournal } from './load.ts';
import { MAX_RECORD_BYTES, parseRecord, type RecordHeader, recordKey } from './record.ts';
import { readEdge, VerifiedTiles } from './verified-tiles.ts';

export interface Tree {
  readonly size: number;
  readonly root: Hash;
}

/** A valid record of this log, at its own key, without its entries. */
export type RecordHead = Omit<RecordHeader, 'logId' | 'nonce'>;

/** What stands at the key of a record and cannot be one of this log. */
export interface UnreadableRecord {
  /** The base size that its key names. */
  readonly base: number;
  readonly why: string;
  /** A whole record, of another log: no commit of this one. */
  readonly foreign: boolean;
}

export type FoundCheckpoint =
  | { readonly kind: 'valid'; readonly checkpoint: SignedCheckpoint; readonly etag: ETag }
  /** Something is there that this log did not sign. */
  | { readonly kind: 'invalid'; readonly why: string; readonly etag: ETag }
  | { readonly kind: 'absent' };

export interface Evidence {
  /** The log.json that both stores have, or the one that has it. */
  readonly description: LogDescription;
  /** Stores whose own log.json is gone or cannot be read. */
  readonly undescribed: readonly { readonly store: 'public' | 'private'; readonly found: 'missing' | 'damaged' }[];
  readonly published: FoundCheckpoint;
  /** Checkpoint of the mirror, signed by this log; undefined where no mirror was given. */
  readonly mirrored: SignedCheckpoint | undefined;
  /** Ascending by base size. */
  readonly records: readonly RecordHead[];
  readonly unreadable: readonly UnreadableRecord[];
  /** Entries that bundles in the public store claim to hold; ascending, apart from each other. */
  readonly bundles: readonly Range[];
  /** Of each level, and of the bundles, the tile in the public store that reaches furthest. */
  readonly furthest: readonly Tile[];
  /** What an operator knows the stores by. */
  readonly names: { readonly publicStore: string; readonly privateStore: string };
}

export interface EvidenceSources {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly verifier: Verifier;
  /** A mirror of the public store. */
  readonly from?: ReadableStore;
}

/** Throws `config` (no log, wrong key), `refused` (two logs), `fork` (two signed checkpoints that contradict each other). */
export async function gatherEvidence(sources: EvidenceSources): Promise<Evidence> {
  const { publicStore, privateStore, verifier, from } = sources;
  const { description, undescribed } = await findDescription(publicStore, privateStore);
  const published = await findCheckpoint(publicStore, verifier);
  // A signature tells that the key is the log's. Without one only log.json can, and a wrong key would sign a fork.
  if (
    description.origin !== verifier.name ||
    (published.kind !== 'valid' && !description.keys.includes(verifier.vkey))
  ) {
    throw new SteleError(
      'config',
      `the key ${verifier.name} (${verifier.vkey}) is none that ${DESCRIPTION_KEY} of ${description.origin} names: bring the key of this log`,
    );
  }
  const mirrored = from && (await mirrorCheckpoint(from, verifier));
  if (from && mirrored && published.kind === 'valid') {
    await checkContained(publicStore, published.checkpoint, from, mirrored);
  }
  const names = { publicStore: publicStore.url, privateStore: privateStore.url };
  const journal = await readJournal(privateStore, idBytes(description));
  const stored = await surveyTiles(publicStore);
  return { description, undescribed, published, mirrored, ...journal, ...stored, names };
}

async function findDescription(
  publicStore: ObjectStore,
  privateStore: ObjectStore,
): Promise<Pick<Evidence, 'description' | 'undescribed'>> {
  const find = async (store: ObjectStore): Promise<LogDescription | 'missing' | 'damaged'> => {
    try {
      return (await readDescription(store)) ?? 'missing';
    } catch (error) {
      if (isSteleError(error, 'malformed', 'limit')) return 'damaged';
      throw error;
    }
  };
  const [ours, theirs] = [await find(publicStore), await find(privateStore)];
  const undescribed: { store: 'public' | 'private'; found: 'missing' | 'damaged' }[] = [];
  if (typeof ours === 'string') undescribed.push({ store: 'public', found: ours });
  if (typeof theirs === 'string') undescribed.push({ store: 'private', found: theirs });
  const known = [ours, theirs].filter((found) => typeof found !== 'string');
  const [description, other = description] = known;
  if (description === undefined) {
    throw new SteleError(
      'config',
      `${DESCRIPTION_KEY} is ${ours} in ${publicStore.url} and ${theirs} in ${privateStore.url}: without either, nothing says which log this is; name the right stores, or put one of them back from a copy`,
    );
  }
  if (other !== undefined && description.id !== other.id) {
    throw new SteleError(
      'refused',
      `the stores were mixed up: ${publicStore.url} is of the log ${description.id} (${description.origin}), ${privateStore.url} of ${other.id} (${other.origin}); there is nothing to mend, name the right stores`,
    );
  }
  return { description, undescribed };
}

async function findCheckpoint(store: ObjectStore, verifier: Verifier): Promise<FoundCheckpoint> {
  const object = await store.get(CHECKPOINT_KEY, { maxBytes: MAX_CHECKPOINT_BYTES });
  if (object === undefined) return { kind: 'absent' };
  const { bytes, etag } = object;
  try {
    return { kind: 'valid', checkpoint: opened(bytes, store, verifier), etag };
  } catch (error) {
    if (!isSteleError(error, 'malformed', 'unverified', 'invalid-proof', 'limit')) throw error;
    return { kind: 'invalid', why: error.message, etag };
  }
}

async function mirrorCheckpoint(mirror: ReadableStore, verifier: Verifier): Promise<SignedCheckpoint> {
  const object = await mirror.get(CHECKPOINT_KEY, { maxBytes: MAX_CHECKPOINT_BYTES });
  const refuse = (why: string, cause?: unknown): never => {
    throw new SteleError('refused', `${mirror.url} is no mirror of ${verifier.name}: ${why}; name another`, { cause });
  };
  if (object === undefined) return refuse('it has no checkpoint');
  try {
    return opened(object.bytes, mirror, verifier);
  } catch (error) {
    if (!isSteleError(error) || error.code === 'refused') throw error;
    return refuse(error.message, error);
  }
}

function opened(bytes: Uint8Array, store: ReadableStore, verifier: Verifier): SignedCheckpoint {
  const checkpoint = openCheckpoint(bytes, verifier);
  if (checkpoint.extensions.length === 0) return checkpoint;
  // Not a damaged one: a good signature over what this log never writes.
  throw new SteleError(
    'refused',
    `the checkpoint in ${store.url} is signed by ${verifier.name} and has extension lines, which this log never writes: another program signs with its key; find that out first`,
  );
}

/** The larger of two signed trees must contain the smaller one, as far as the tiles beside them can tell. */
async function checkContained(
  publicStore: ReadableStore,
  published: SignedCheckpoint,
  mirror: ReadableStore,
  mirrored: SignedCheckpoint,
): Promise<void> {
  const [small, large] = published.size <= mirrored.size ? [published, mirrored] : [mirrored, published];
  const store = large === mirrored ? mirror : publicStore;
  let root: Hash;
  try {
    const edge = await readEdge(store, large.size, large.root);
    root = await new VerifiedTiles(store, large.size, edge).rootAt(small.size);
  } catch (error) {
    if (isSteleError(error, 'corrupt')) return; // tiles to be mended first: then the entries decide
    throw error;
  }
  if (equalBytes(root, small.root)) return;
  throw new SteleError(
    'fork',
    `this log has signed two histories: the checkpoint of size ${published.size} in ${publicStore.url} and the one of size ${mirrored.size} in ${mirror.url} do not extend each other; no tool can mend that: stop the log, keep both, and tell those who rely on it`,
  );
}

async function readJournal(store: ObjectStore, logId: Uint8Array): Promise<Pick<Evidence, 'records' | 'unreadable'>> {
  const records: RecordHead[] = [];
  const unreadable: UnreadableRecord[] = [];
  for (const base of await listJournal(store)) {
    const found = await readHead(store, base, logId);
    if (found === undefined) continue; // collected since it was listed
    if ('why' in found) unreadable.push(found);
    else records.push(found);
  }
  return { records, unreadable };
}

async function readHead(
  store: ObjectStore,
  base: number,
  logId: Uint8Array,
): Promise<RecordHead | UnreadableRecord | undefined> {
  const key = recordKey(base);
  try {
    const object = await store.get(key, { maxBytes: MAX_RECORD_BYTES });
    if (object === undefined) return undefined;
    const record = parseRecord(key, object.bytes);
    if (!equalBytes(record.logId, logId)) return { base, why: 'belongs to another log', foreign: true };
    const { baseSize, newSize, freeze } = record;
    if (baseSize !== base) return { base, why: `says that it extends size ${baseSize}`, foreign: false };
    // Copies: a view would keep the entries in memory.
    return { baseSize, baseRoot: record.baseRoot.slice(), newSize, newRoot: record.newRoot.slice(), freeze };
  } catch (error) {
    if (!isSteleError(error, 'malformed', 'limit')) throw error;
    return { base, why: error.message, foreign: false };
  }
}

async function surveyTiles(store: ObjectStore): Promise<Pick<Evidence, 'bundles' | 'furthest'>> {
  const furthest = new Map<Tile['level'], Tile>();
  const ranges: { start: number; end: number }[] = [];
  const reach = ({ n, width }: Tile): number => n * TILE_WIDTH + width;
  for await (const { tile } of listTiles(store)) {
    const known = furthest.get(tile.level);
    if (known === undefined || reach(tile) > reach(known)) furthest.set(tile.level, tile);
    if (tile.level === 'entries') addRange(ranges, { start: tile.n * TILE_WIDTH, end: reach(tile) });
  }
  // Keys are listed in an order that is nearly, and not quite, that of the entries.
  const bundles: { start: number; end: number }[] = [];
  for (const range of ranges.sort((a, b) => a.start - b.start)) addRange(bundles, range);
  return { bundles, furthest: [...furthest.values()] };
}

/** Adds a range to the last one where the two touch. */
function addRange(ranges: { start: number; end: number }[], { start, end }: Range): void {
  const last = ranges.at(-1);
  if (last !== undefined && start >= last.start && start <= last.end) last.end = Math.max(last.end, end);
  else ranges.push({ start, end });
}
