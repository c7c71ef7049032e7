/** One log in memory, writers on it, faults in between, and an oracle that shares nothing with the writer. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../src/clock.ts';
import { SteleError } from '../../src/errors.ts';
import {
  generateKey,
  openCheckpoint,
  parseSignerKey,
  parseVerifierKey,
  type SignedCheckpoint,
} from '../../src/note/index.ts';
import { type EntryOutcome, MemoryQueue, QUEUE_LIMITS } from '../../src/queue/index.ts';
import {
  DIRECTORY_SETTINGS,
  initLog,
  Sequencer,
  type SequencerDependencies,
  type SequencerSettings,
} from '../../src/sequencer/index.ts';
import { type NewObject, type ObjectStore, openStore, type StoredObject } from '../../src/store/index.ts';

export const ORIGIN = 'log.example.com/test';
const { skey, vkey } = generateKey(ORIGIN, createHash('sha256').update('sequencer tests').digest());
export const signer = parseSignerKey(skey);
export const verifier = parseVerifierKey(vkey);
export const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
/** `count` distinct entries, from number `from` on. */
export const entriesFrom = (from: number, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => utf8(`leaf ${from + i}`));

/** Time passes only when somebody sleeps, and then at once. */
export function virtualClock(): Clock & { advance(ms: number): void } {
  let now = 1_800_000_000_000;
  return {
    now: () => now,
    advance: (ms) => {
      now += ms;
    },
    async sleep(ms) {
      await new Promise((resolve) => setImmediate(resolve));
      now += ms;
    },
  };
}

export interface TestLog {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
}

let logs = 0;

export async function emptyStores(): Promise<TestLog> {
  const name = ++logs; // which others increase while these are opened
  return { publicStore: await openStore(`mem:public-${name}`), privateStore: await openStore(`mem:private-${name}`) };
}

export async function newLog(): Promise<TestLog> {
  const log = await emptyStores();
  await initLog({ ...log, signer, verifier, random });
  return log;
}

export interface Writer<C extends Clock = ReturnType<typeof virtualClock>> {
  readonly sequencer: Sequencer;
  readonly queue: MemoryQueue;
  readonly clock: C;
  /** Submits, drains, and gives the answers. */
  add(entries: readonly Uint8Array[]): Promise<EntryOutcome[]>;
}

/** What is not as usual. */
type Unusual = Partial<
  Pick<SequencerDependencies, 'cosign' | 'older' | 'signer' | 'onCommitted' | 'onPublished' | 'onRetry'>
>;

export function openWriter(log: TestLog, settings?: Partial<SequencerSettings>): Promise<Writer>;
export function openWriter<C extends Clock>(
  log: TestLog,
  settings: Partial<SequencerSettings>,
  clock: C,
  unusual?: Unusual,
): Promise<Writer<C>>;
export async function openWriter(
  log: TestLog,
  settings: Partial<SequencerSettings> = {},
  clock: Clock = virtualClock(),
  unusual: Unusual = {},
): Promise<Writer<Clock>> {
  const queue = new MemoryQueue({ limits: QUEUE_LIMITS, clock });
  const sequencer = await Sequencer.open({
    ...log,
    queue,
    signer,
    verifier,
    clock,
    random,
    settings: { ...DIRECTORY_SETTINGS, publishIntervalMs: 0, maxAttempts: 5, ...settings },
    ...unusual,
  });
  const add = async (entries: readonly Uint8Array[]): Promise<EntryOutcome[]> => {
    const answer = queue.submit(entries);
    const failed = sequencer.drain().then(
      () => undefined,
      (error: SteleError) => queue.close(error),
    );
    const [{ outcomes }] = await Promise.all([answer, failed]);
    return [...outcomes];
  };
  return { sequencer, queue, clock, add };
}

export const indices = (outcomes: readonly EntryOutcome[]): (number | string)[] =>
  outcomes.map((outcome) => ('index' in outcome ? outcome.index : outcome.refused));

export async function storedCheckpoint(log: TestLog): Promise<SignedCheckpoint> {
  const object = await log.publicStore.get('checkpoint');
  assert.ok(object, 'there is a checkpoint');
  return openCheckpoint(object.bytes, verifier);
}

/** The entries of the log as text, after `audit`. */
export const logged = async (log: TestLog): Promise<string[]> => texts(await audit(log));
export const texts = (entries: readonly Uint8Array[]): string[] =>
  entries.map((entry) => new TextDecoder().decode(entry));

export async function keysOf(store: ObjectStore, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

/** O1: from public objects alone, with hashing and paths of its own: the entries, after every hash was re-derived. */
export async function audit(log: TestLog): Promise<Uint8Array[]> {
  const checkpoint = await storedCheckpoint(log);
  const { size } = checkpoint;
  const read = async (key: string): Promise<Uint8Array> => {
    const object = await log.publicStore.get(key);
    assert.ok(object, `${key} is there at size ${size}`);
    return object.bytes;
  };
  const entries: Uint8Array[] = [];
  for (let n = 0; n * 256 < size; n++) {
    const width = Math.min(256, size - n * 256);
    const bytes = await read(path('entries', n, width));
    let at = 0;
    for (let i = 0; i < width; i++) {
      const length = (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
      entries.push(bytes.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    assert.equal(at, bytes.length, `bundle ${n} ends with its last entry`);
  }
  let hashes: Buffer[] = entries.map((entry) => createHash('sha256').update('\0').update(entry).digest());
  assert.deepEqual(Buffer.from(checkpoint.root), treeHash(hashes), `the root at size ${size}`);
  for (let level = 0; hashes.length > 0; level++) {
    for (let n = 0; n * 256 < hashes.length; n++) {
      const tile = hashes.slice(n * 256, n * 256 + 256);
      const stored = Buffer.from(await read(path(String(level), n, tile.length)));
      assert.ok(stored.equals(Buffer.concat(tile)), `tile ${level}/${n} at size ${size}`);
    }
    hashes = Array.from({ length: Math.floor(hashes.length / 256) }, (_, n) =>
      treeHash(hashes.slice(n * 256, n * 256 + 256)),
    );
  }
  return entries;
}

function path(level: string, n: number, width: number): string {
  let digits = String(n % 1000).padStart(3, '0');
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    digits = `x${String(rest % 1000).padStart(3, '0')}/${digits}`;
  }
  return `tile/${level}/${digits}${width < 256 ? `.p/${width}` : ''}`;
}

/** RFC 6962 §2.1, word for word. */
export function treeHash(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 0) return createHash('sha256').digest();
  if (hashes.length === 1) return hashes[0] as Buffer;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return createHash('sha256')
    .update('\x01')
    .update(treeHash(hashes.slice(0, k)))
    .update(treeHash(hashes.slice(k)))
    .digest();
}

export type Operation = 'get' | 'create' | 'stage' | 'createAll' | 'replace' | 'delete' | 'list';

/** What happens to one operation: no effect, an effect whose answer is lost, or something before or after it. */
export type Fault = 'lost' | 'kept' | { before?: () => Promise<void>; after?: () => Promise<void> } | undefined;

/** Plants `fault` at the first operation that matches. */
export function once(
  matches: (operation: Operation, key: string) => boolean,
  fault: Fault,
): (operation: Operation, key: string) => Fault {
  let planted = false;
  return (operation, key) => {
    if (planted || !matches(operation, key)) return undefined;
    planted = true;
    return fault;
  };
}

export type FaultyStore = ObjectStore & { readonly calls: string[] };

/** The plan of a public store on which a writer commits and cannot publish. */
export const neverPublishes = (operation: string): Fault => (operation === 'createAll' ? 'lost' : undefined);

/** A store whose every operation asks `plan` first, and records what was called. */
export function faulty(store: ObjectStore, plan: (operation: Operation, key: string) => Fault): FaultyStore {
  const calls: string[] = [];
  const run = async <T>(operation: Operation, key: string, act: () => Promise<T>): Promise<T> => {
    calls.push(`${operation} ${key}`);
    const fault = plan(operation, key);
    if (fault === 'lost') throw new SteleError('unreachable', `${operation} ${key} was lost (planted)`);
    if (typeof fault === 'object') await fault.before?.();
    const result = await act();
    if (typeof fault === 'object') await fault.after?.();
    if (fault === 'kept')
      throw new SteleError('outcome-unknown', `the answer to ${operation} ${key} was lost (planted)`);
    return result;
  };
  const create: ObjectStore['create'] = (key, bytes, meta) => run('create', key, () => store.create(key, bytes, meta));
  return {
    calls,
    url: store.url,
    get: (key, options) => run('get', key, () => store.get(key, options)),
    create,
    stage: (key, bytes, meta) =>
      run('stage', key, async () => ({ create: () => create(key, bytes, meta), discard: async () => {} })),
    createAll: (objects: Iterable<NewObject>) => {
      const all = [...objects];
      return run('createAll', String(all.length), () => store.createAll(all));
    },
    replace: (key, bytes, meta, ifMatch) => run('replace', key, () => store.replace(key, bytes, meta, ifMatch)),
    delete: (key) => run('delete', key, () => store.delete(key)),
    async *list(prefix) {
      calls.push(`list ${prefix}`);
      yield* store.list(prefix);
    },
    close: () => store.close(),
  };
}

export const META = { contentType: 'application/octet-stream', cacheControl: 'no-store' };

export async function mustGet(log: TestLog, store: keyof TestLog, key: string): Promise<StoredObject> {
  const object = await log[store].get(key);
  assert.ok(object, `${key} exists`);
  return object;
}
