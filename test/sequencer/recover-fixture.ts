/** Logs to be harmed and mended: copies of one, snapshots of stores, and what must hold of a log after every mend. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { fsck } from '../../src/client/index.ts';
import { openCheckpoint, parseCheckpoint, type SignedCheckpoint, type Signer } from '../../src/note/index.ts';
import { type RecoverRequest, type Recovery, recover } from '../../src/sequencer/index.ts';
import { encodeRecord, recordKey } from '../../src/sequencer/record.ts';
import { metaFor, type NewObject, type ObjectStore, type ReadableStore } from '../../src/store/index.ts';
import { encodeRun, hashedRun } from '../../src/tiles/index.ts';
import {
  audit,
  emptyStores,
  entriesFrom,
  faulty,
  indices,
  keysOf,
  newLog,
  openWriter,
  random,
  signer,
  storedCheckpoint,
  type TestLog,
  treeHash,
  utf8,
  verifier,
} from './harness.ts';

export type Snapshot = ReadonlyMap<string, Uint8Array>;

/** A log and every tree that it ever signed. */
export interface KnownLog extends TestLog {
  readonly signed: SignedCheckpoint[];
  /** Its entries, those included that are committed and not published. */
  readonly entries: Uint8Array[];
}

/** A log that grew by batches of these sizes, each published; every checkpoint is noted. */
export async function grownLog(...batches: readonly number[]): Promise<KnownLog> {
  const log: KnownLog = { ...(await newLog()), signed: [], entries: [] };
  log.signed.push(await storedCheckpoint(log));
  for (const count of batches) await grow(log, count);
  return log;
}

export async function grow(log: KnownLog, count: number): Promise<void> {
  const entries = entriesFrom(log.entries.length, count);
  await (await openWriter(log)).add(entries);
  log.entries.push(...entries);
  log.signed.push(await storedCheckpoint(log));
}

/** Commits entries and does not publish them: their writer dies before (`tiles`: after) it wrote the tiles. */
export async function commitOnly(log: KnownLog, count: number, written: 'nothing' | 'tiles'): Promise<void> {
  const stopAt = written === 'nothing' ? 'createAll' : 'replace';
  const publicStore = faulty(log.publicStore, (operation) => (operation === stopAt ? 'lost' : undefined));
  const entries = entriesFrom(log.entries.length, count);
  const dead = await openWriter({ ...log, publicStore }, { maxAttempts: 1 });
  await assert.rejects(dead.add(entries));
  log.entries.push(...entries);
}

export async function snapshot(store: ObjectStore): Promise<Snapshot> {
  const objects = new Map<string, Uint8Array>();
  for (const key of await keysOf(store)) objects.set(key, (await store.get(key))?.bytes ?? new Uint8Array());
  return objects;
}

export async function restore(store: ObjectStore, objects: Snapshot): Promise<void> {
  for (const key of await keysOf(store)) await store.delete(key);
  for (const [key, bytes] of objects) await store.create(key, bytes, metaFor(key));
}

export async function copyOf(log: KnownLog): Promise<KnownLog> {
  const copy: KnownLog = { ...(await emptyStores()), signed: [...log.signed], entries: [...log.entries] };
  await restore(copy.publicStore, await snapshot(log.publicStore));
  await restore(copy.privateStore, await snapshot(log.privateStore));
  return copy;
}

/** A store that answers what the other had when it was copied. */
export async function mirrorOf(log: TestLog): Promise<ReadableStore> {
  const { publicStore } = await emptyStores();
  await restore(publicStore, await snapshot(log.publicStore));
  return publicStore;
}

export const bytesOf = async (store: ObjectStore, key: string): Promise<Uint8Array> => {
  const object = await store.get(key);
  assert.ok(object, `${key} exists`);
  return object.bytes;
};

export type Harm = 'missing' | 'flipped' | 'torn' | 'long';

export async function harm(store: ObjectStore, key: string, kind: Harm): Promise<void> {
  const bytes = await bytesOf(store, key);
  await store.delete(key);
  if (kind === 'missing') return;
  const middle = Math.floor(bytes.length / 2);
  const flipped = bytes.slice();
  flipped[middle] = (flipped[middle] ?? 0) ^ 1;
  const harmed = { flipped, torn: bytes.slice(0, -3), long: new Uint8Array([...bytes, 0]) }[kind];
  await store.create(key, harmed, metaFor(key));
}

export async function contents(log: TestLog): Promise<string[]> {
  const all: string[] = [];
  for (const store of [log.publicStore, log.privateStore]) {
    for (const [key, bytes] of await snapshot(store))
      all.push(`${store.url} ${key} ${Buffer.from(bytes).toString('base64')}`);
  }
  return all;
}

/** Puts a record of this log at `base` that extends it by `count` entries, as a writer would have that knew no other. */
export async function putRecord(log: KnownLog, base: number, count: number, tag = 'other'): Promise<void> {
  const leaves = log.entries.map((entry) => createHash('sha256').update('\0').update(entry).digest());
  const entries = Array.from({ length: count }, (_, i) => utf8(`${tag} ${base + i}`));
  const added = entries.map((entry) => createHash('sha256').update('\0').update(entry).digest());
  const { id } = JSON.parse(new TextDecoder().decode(await bytesOf(log.publicStore, 'log.json')));
  const header = {
    logId: new Uint8Array(Buffer.from(id, 'hex')),
    nonce: random(16),
    baseSize: base,
    baseRoot: treeHash(leaves.slice(0, base)),
    newSize: base + count,
    newRoot: treeHash([...leaves.slice(0, base), ...added]),
    freeze: false,
  };
  const bytes = encodeRecord(header, [hashedRun(encodeRun(entries))]);
  const key = recordKey(base);
  await log.privateStore.delete(key);
  await log.privateStore.create(key, bytes, metaFor(key));
}

export interface Options {
  readonly from?: ReadableStore;
  readonly acceptLoss?: boolean;
  /** Signs for recover; the log's own key unless given. */
  readonly signer?: Signer;
}

export const lookAt = (log: TestLog, options: Options = {}): Promise<Recovery> => {
  const request: RecoverRequest = {
    publicStore: log.publicStore,
    privateStore: log.privateStore,
    signer,
    verifier,
    random,
    ...options,
  };
  return recover(request);
};

/** A signer that notes every size it signs. */
export function watchedSigner(): Signer & { readonly sizes: number[] } {
  const sizes: number[] = [];
  return {
    ...signer,
    sizes,
    sign(text) {
      sizes.push(parseCheckpoint(text).size);
      return signer.sign(text);
    },
  };
}

/** Looks, sees that nothing is written by that, applies, and holds the log to `assertGoesOn`. */
export async function mend(log: KnownLog, options: Options = {}): Promise<Recovery> {
  const before = await contents(log);
  const recovery = await lookAt(log, options);
  assert.deepEqual(await contents(log), before, 'looking writes nothing');
  const watched = watchedSigner();
  const { apply, size, writes } = await lookAt(log, { ...options, signer: watched });
  const checkpoint = await apply();
  assert.equal(checkpoint.size, size);
  assert.deepEqual(watched.sizes, writes.some((line) => line.startsWith('a checkpoint')) ? [size] : []);
  const again = await lookAt(log, options);
  assert.deepEqual([again.finding, again.writes], ['healthy', []], 'nothing is left to mend');
  await assertGoesOn(log);
  return recovery;
}

/**
 * O7: a writer opens the log, appends one entry, and the public objects prove a tree of the entries there were and that
 * one. That tree contains every tree the log ever signed.
 */
export async function assertGoesOn(log: KnownLog): Promise<void> {
  const published = (await storedCheckpoint(log)).size;
  const writer = await openWriter(log);
  const fresh = utf8(`after recovery, at ${log.entries.length}`);
  const next = indices(await writer.add([fresh]));
  assert.deepEqual(next, [log.entries.length]);
  const entries = await audit(log);
  assert.deepEqual(entries.map(String), [...log.entries, fresh].map(String));
  const leaves = entries.map((entry) => createHash('sha256').update('\0').update(entry).digest());
  for (const { size, root } of log.signed) {
    assert.deepEqual(treeHash(leaves.slice(0, size)), Buffer.from(root), `contains what was signed of size ${size}`);
  }
  const largest = Math.max(...log.signed.map(({ size }) => size));
  assert.ok(published >= largest || entries.length > largest, `${published} is not below ${largest}`);
  const report = await fsck(log.publicStore, verifier);
  assert.deepEqual(report.problems, []);
}

/** A store in which every single object written counts, and nothing is written any more from the k-th on. */
export function dyingAfter(
  stores: TestLog,
  k: number,
  lastAnswer: 'lost' | 'kept',
): TestLog & { readonly writes: number } {
  let writes = 0;
  const dying = (store: ObjectStore): ObjectStore => {
    const plan = (operation: string) => {
      if (operation === 'get' || operation === 'list') return undefined;
      writes += 1;
      if (writes <= k) return undefined;
      return writes === k + 1 ? lastAnswer : 'lost';
    };
    const planned = faulty(store, plan);
    return {
      ...planned,
      async createAll(objects: Iterable<NewObject>) {
        for (const { key, bytes, meta } of objects) {
          const pieces = bytes instanceof Uint8Array ? [bytes] : bytes;
          if (!(await planned.create(key, pieces, meta))) assert.ok(await store.get(key));
        }
      },
    };
  };
  return {
    publicStore: dying(stores.publicStore),
    privateStore: dying(stores.privateStore),
    get writes() {
      return writes;
    },
  };
}

export const openedCheckpoint = async (log: TestLog): Promise<SignedCheckpoint> =>
  openCheckpoint(await bytesOf(log.publicStore, 'checkpoint'), verifier);
