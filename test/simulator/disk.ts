/** A store at rest: what is kept, and one observer of all that is done to it. Every operation is one instant. */

import { hash } from 'node:crypto';
import { SteleError } from '../../src/errors.ts';

/** Told before an operation has its effect, only of those that have one (`onRead`: of every read). */
export interface DiskObserver {
  onRead(key: string, found: boolean): void;
  onCreate(key: string, bytes: Uint8Array): void;
  onReplace(key: string, bytes: Uint8Array): void;
  onDelete(key: string): void;
}

/** How a store may break the contract of DESIGN §4; a sound one does none of it. */
export interface Unsound {
  readonly ignoresIfMatch: boolean;
}

export class Disk {
  readonly name: string;
  objects: Map<string, Uint8Array>;
  readonly #observer: DiskObserver;
  readonly #unsound: Unsound;

  constructor(name: string, objects: ReadonlyMap<string, Uint8Array>, observer: DiskObserver, unsound: Unsound) {
    this.name = name;
    this.objects = new Map(objects);
    this.#observer = observer;
    this.#unsound = unsound;
  }

  get(key: string): Uint8Array | undefined {
    const bytes = this.objects.get(key);
    this.#observer.onRead(key, bytes !== undefined);
    return bytes;
  }

  create(key: string, bytes: Uint8Array): boolean {
    if (this.objects.has(key)) return false;
    this.#observer.onCreate(key, bytes);
    this.objects.set(key, bytes);
    return true;
  }

  /** As `createAll` has it: there already is fine when the bytes are equal. */
  createEqual(key: string, bytes: Uint8Array): void {
    const existing = this.objects.get(key);
    if (existing === undefined) this.create(key, bytes);
    else if (Buffer.compare(existing, bytes) !== 0) throw new SteleError('conflict', `${key} has other bytes`);
  }

  replace(key: string, bytes: Uint8Array, ifMatch: string | null): string {
    const existing = this.objects.get(key);
    const found = existing === undefined ? null : etagOf(existing);
    if (found !== ifMatch && !this.#unsound.ignoresIfMatch) {
      throw new SteleError('precondition-failed', `${key} is not at ${ifMatch}`);
    }
    this.#observer.onReplace(key, bytes);
    this.objects.set(key, bytes);
    return etagOf(bytes);
  }

  delete(key: string): void {
    if (!this.objects.has(key)) return;
    this.#observer.onDelete(key);
    this.objects.delete(key);
  }

  /** The first `count` keys behind `after` that start with `prefix`. */
  page(prefix: string, after: string, count: number): string[] {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after);
    return keys.sort().slice(0, count);
  }
}

/** By content, as buckets have it: an object that becomes what it was is at its old version. */
export function etagOf(bytes: Uint8Array): string {
  let etag = etags.get(bytes);
  if (etag === undefined) {
    etag = hash('sha256', bytes, 'hex');
    etags.set(bytes, etag);
  }
  return etag;
}

/** Bytes in a store never change, and are asked for often. */
const etags = new WeakMap<Uint8Array, string>();
