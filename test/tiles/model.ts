/** The vectors, and a tree written down as RFC 6962 and tlog-tiles define it: slow, and shares nothing with src. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Tile } from '../../src/tiles/index.ts';

const VECTORS = new URL('../../tiles-spec/vectors/', import.meta.url);

export function readVector(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, VECTORS)));
}

export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(path, VECTORS), 'utf8')) as T;
}

export function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

export function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0), entry);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(1), left, right);
}

/** Entry i of the vectors' leaf rule. */
export function leafEntry(i: number): Uint8Array {
  return new TextEncoder().encode(`leaf ${i}`);
}

/** MTH by its definition: split at the largest power of two below the count. */
export function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return sha256();
  if (leaves.length === 1) return first;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

export class NaiveTree {
  /** `#levels[l]`: the hashes of tile level l, as far as they were asked for. */
  readonly #levels: Uint8Array[][];

  constructor(levels: readonly (readonly Uint8Array[])[] = [[]]) {
    this.#levels = levels.map((hashes) => [...hashes]);
  }

  get size(): number {
    return this.#level(0).length;
  }

  clone(): NaiveTree {
    return new NaiveTree(this.#levels);
  }

  append(leafHashes: readonly Uint8Array[]): void {
    for (const hash of leafHashes) this.#level(0).push(hash);
  }

  truncate(size: number): void {
    for (const [level, hashes] of this.#levels.entries()) {
      hashes.length = Math.min(hashes.length, Math.floor(size / 256 ** level));
    }
  }

  /** TILES-9. */
  tileBytes(tile: Tile): Uint8Array {
    const { level, n, width } = tile;
    if (level === 'entries') return fail('a bundle is not a hash tile');
    return concat(Array.from({ length: width }, (_, i) => this.#hash(level, 256 * n + i)));
  }

  #hash(level: number, index: number): Uint8Array {
    const known = this.#level(level);
    if (level === 0) return known[index] ?? fail(`no leaf ${index}`);
    while (known.length <= index) {
      const first = known.length * 256;
      known.push(treeHash(Array.from({ length: 256 }, (_, i) => this.#hash(level - 1, first + i))));
    }
    return known[index] ?? fail(`no hash ${index} on level ${level}`);
  }

  #level(level: number): Uint8Array[] {
    this.#levels[level] ??= [];
    return this.#levels[level];
  }
}

function fail(message: string): never {
  throw new Error(message);
}
