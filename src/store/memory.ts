import { SteleError } from '../errors.ts';
import { throwIfAborted } from './errors.ts';
import { compareKeys, parseKey, parsePrefix } from './keys.ts';
import { contentETag, equalsPieces, piecesOf, storedObject, totalLength } from './object.ts';
import type { GetOptions, ListedObject, NewObject, ObjectStore, StoredObject } from './types.ts';

interface Held {
  readonly bytes: Uint8Array;
  readonly modified: number;
}

/** Stores by name, for as long as this process lives: opening one again finds what was written. */
const stores = new Map<string, ObjectStore>();

/** The ObjectStore `mem:NAME` of this process. Everything an operation does happens at once, when it is called. */
export function openMemory(name: string): ObjectStore {
  let store = stores.get(name);
  if (store === undefined) {
    store = createMemory(`mem:${name}`);
    stores.set(name, store);
  }
  return store;
}

function createMemory(url: string): ObjectStore {
  const objects = new Map<string, Held>();

  // Bytes are copied in and out, as with any other store: nobody can change what is stored.
  const get = async (key: string, options: GetOptions = {}): Promise<StoredObject | undefined> => {
    parseKey(key);
    throwIfAborted(options.signal, `reading ${key} in ${url}`);
    const held = objects.get(key);
    if (held !== undefined && options.maxBytes !== undefined && held.bytes.length > options.maxBytes) {
      throw new SteleError(
        'limit',
        `${key} in ${url} has ${held.bytes.length} bytes, more than the ${options.maxBytes} that were expected`,
      );
    }
    return held && storedObject(held.bytes.slice());
  };

  const create = async (key: string, bytes: NewObject['bytes']): Promise<boolean> => {
    parseKey(key);
    if (objects.has(key)) {
      return false;
    }
    objects.set(key, { bytes: concatenate(piecesOf(bytes)), modified: Date.now() });
    return true;
  };

  return {
    url,
    get,
    create,
    async stage(key, bytes) {
      parseKey(key);
      let staged: Uint8Array | undefined = concatenate(piecesOf(bytes));
      return {
        async create() {
          if (staged === undefined) {
            throw new SteleError('aborted', `what was staged for ${key} has been created or discarded already`);
          }
          const kept = staged;
          staged = undefined;
          return create(key, kept);
        },
        async discard() {
          staged = undefined;
        },
      };
    },
    async createAll(all) {
      for (const { key, bytes } of all) {
        const existing = objects.get(key);
        if (existing !== undefined && !equalsPieces(existing.bytes, piecesOf(bytes))) {
          throw new SteleError('conflict', `${key} exists in ${url} with other bytes; objects never change`);
        }
        await create(key, bytes);
      }
    },
    async replace(key, bytes, _meta, ifMatch) {
      parseKey(key);
      const existing = objects.get(key);
      const found = existing === undefined ? null : contentETag(existing.bytes);
      if (found !== ifMatch) {
        throw new SteleError(
          'precondition-failed',
          `${key} in ${url} was to be replaced at version ${ifMatch ?? 'none'}, but is at ${found ?? 'none'}`,
        );
      }
      objects.set(key, { bytes: bytes.slice(), modified: Date.now() });
      return contentETag(bytes);
    },
    async delete(key) {
      parseKey(key);
      objects.delete(key);
    },
    async *list(prefix): AsyncGenerator<ListedObject> {
      parsePrefix(prefix);
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys);
      for (const key of keys) {
        const held = objects.get(key);
        if (held !== undefined) {
          yield { key, size: held.bytes.length, modified: held.modified };
        }
      }
    },
    async close() {
      // What is stored lives on under its name.
    },
  };
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(totalLength(pieces));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
