/** A log for tests, made with nothing of Stele's but tile paths and notes, and served as badly as a test asks for. */
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SteleError } from '../../src/errors.ts';
import {
  formatCheckpoint,
  generateKey,
  openCheckpoint,
  parseSignerKey,
  parseVerifierKey,
  type SignedCheckpoint,
  signNote,
  type Verifier,
} from '../../src/note/index.ts';
import type { GetOptions, ReadableStore, StoredObject } from '../../src/store/index.ts';
import { parseTilePath } from '../../src/tiles/index.ts';

export const vectors = join(import.meta.dirname, '../../tiles-spec/vectors');

const key = generateKey('log.example/test', new Uint8Array(32).fill(7));
export const verifier: Verifier = parseVerifierKey(key.vkey);
const signer = parseSignerKey(key.skey);

/** The entries of most vectors: `leaf 0`, `leaf 1`, … */
export function leaves(count: number, word = 'leaf'): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new TextEncoder().encode(`${word} ${i}`));
}

/** What is done to an object before it is served: `bytes` as the log has them; `request` counts from 1. */
export type Damage = (bytes: Uint8Array | undefined, request: number) => Uint8Array | undefined;

/** Answers every request a moment later, and counts. */
export class TestStore implements ReadableStore {
  readonly url = 'test://log';
  readonly requests: string[] = [];
  readonly #counts = new Map<string, number>();
  readonly damaged = new Map<string, Damage>();
  mostInFlight = 0;
  #inFlight = 0;
  object: (key: string) => Uint8Array | undefined;

  constructor(object: (key: string) => Uint8Array | undefined) {
    this.object = object;
  }

  /** Counts anew. */
  reset(): void {
    this.requests.length = 0;
    this.#counts.clear();
    this.mostInFlight = 0;
  }

  async get(key: string, options?: GetOptions): Promise<StoredObject | undefined> {
    this.requests.push(key);
    this.#inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    this.#inFlight -= 1;
    if (options?.signal?.aborted) throw new SteleError('aborted', 'the request was given up');
    const damage = this.damaged.get(key);
    const request = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, request);
    const bytes = damage ? damage(this.object(key), request) : this.object(key);
    if (bytes && bytes.length > (options?.maxBytes ?? Infinity)) throw new SteleError('limit', `${key} is too long`);
    return bytes && { bytes, etag: 'none' };
  }
}

export class TestLog {
  readonly entries: readonly Uint8Array[];
  /** Packed hashes by tile level: level l has one for every 256^l entries. */
  readonly levels: readonly Uint8Array[];
  readonly store = new TestStore((key) => this.object(key));
  readonly #fullBundles = new Map<number, Uint8Array>();
  #served = 0;
  #checkpoint: Uint8Array | undefined;

  constructor(entries: readonly Uint8Array[]) {
    this.entries = entries;
    const levels = [pack(entries.map((entry) => sha256(Buffer.of(0), entry)))];
    for (let top = levels[0]; top && top.length >= 256 * 32; top = levels.at(-1)) {
      const tiles = Math.floor(top.length / (256 * 32));
      levels.push(
        pack(Array.from({ length: tiles }, (_, n) => treeHash(top.subarray(n * 256 * 32, (n + 1) * 256 * 32)))),
      );
      if (tiles < 256) break;
    }
    this.levels = levels;
  }

  /** A log of the same key that has other entries from `size` on. */
  forkAt(size: number): TestLog {
    return new TestLog([...this.entries.slice(0, size), ...leaves(this.entries.length - size, 'other')]);
  }

  root(size: number): Uint8Array {
    return treeHash((this.levels[0] ?? new Uint8Array()).subarray(0, 32 * size));
  }

  async sign(size: number, root = this.root(size)): Promise<SignedCheckpoint> {
    const text = formatCheckpoint({ origin: verifier.name, size, root, extensions: [] });
    return openCheckpoint(await signNote(text, [signer]), verifier);
  }

  /** Serves the checkpoint of this size, and all objects of this size and below. */
  async publish(size: number): Promise<SignedCheckpoint> {
    const checkpoint = await this.sign(size);
    this.serve(size, checkpoint);
    return checkpoint;
  }

  serve(size: number, checkpoint: SignedCheckpoint): void {
    this.#served = size;
    this.#checkpoint = checkpoint.bytes;
  }

  object(key: string): Uint8Array | undefined {
    if (key === 'checkpoint') return this.#checkpoint;
    const { level, n, width } = parseTilePath(key);
    const count = Math.floor(this.#served / 256 ** (level === 'entries' ? 0 : level));
    const end = n * 256 + width;
    if (end > count) return undefined;
    if (level === 'entries') return this.#bundle(n, width);
    return this.levels[level]?.subarray(32 * n * 256, 32 * end);
  }

  #bundle(n: number, width: number): Uint8Array {
    const made = this.#fullBundles.get(n);
    if (made && width === 256) return made;
    const entries = this.entries.slice(n * 256, n * 256 + width);
    const bundle = Buffer.concat(entries.flatMap((entry) => [Buffer.of(entry.length >> 8, entry.length & 255), entry]));
    if (width === 256) this.#fullBundles.set(n, bundle);
    return bundle;
  }
}

/** A complete log of the vectors, from its folder. */
export function vectorStore(folder: string): TestStore {
  const objects = new Map<string, Uint8Array>();
  for (const file of readdirSync(join(vectors, folder), { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    if (file.isFile()) objects.set(path.slice(join(vectors, folder).length + 1), readFileSync(path));
  }
  return new TestStore((key) => objects.get(key));
}

/** A clock on which no time passes; `onSleep` sees each wait begin. */
export function testClock(onSleep: (ms: number, count: number) => unknown = () => {}) {
  const waits: number[] = [];
  const sleep = async (ms: number): Promise<void> => {
    waits.push(ms);
    await onSleep(ms, waits.length);
  };
  return { waits, now: () => 0, sleep };
}

export function flip(at: number): Damage {
  return (bytes) => bytes?.map((byte, i) => (i === at ? byte ^ 1 : byte));
}

export const absent: Damage = () => undefined;

/** RFC 6962 §2.1, by its definition. */
export function treeHash(hashes: Uint8Array): Uint8Array {
  const count = hashes.length / 32;
  if (count === 0) return hash('sha256', '', 'buffer');
  if (count === 1) return hashes;
  let split = 1;
  while (split * 2 < count) split *= 2;
  return sha256(Buffer.of(1), treeHash(hashes.subarray(0, 32 * split)), treeHash(hashes.subarray(32 * split)));
}

function sha256(...parts: Uint8Array[]): Uint8Array {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}

function pack(hashes: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(hashes));
}
