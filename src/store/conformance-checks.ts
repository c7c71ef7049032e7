import { isSteleError, type SteleError } from '../errors.ts';
import { metaFor } from './meta.ts';
import type { ListedObject, NewObject, ObjectStore } from './types.ts';

/** Headers for objects of no meaning. */
export const META = metaFor('conformance');

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function objectOf(key: string, text = `content of ${key}`): NewObject {
  return { key, bytes: bytesOf(text), meta: META };
}

export function check(holds: boolean, otherwise: string): void {
  if (!holds) {
    throw new Error(otherwise);
  }
}

/** The text stored under a key, or undefined. */
export async function read(store: ObjectStore, key: string): Promise<string | undefined> {
  const object = await store.get(key);
  return object && new TextDecoder().decode(object.bytes);
}

export async function checkHolds(store: ObjectStore, key: string, text: string | undefined): Promise<void> {
  const found = await read(store, key);
  check(found === text, `${key} holds ${JSON.stringify(found)} instead of ${JSON.stringify(text)}`);
}

export async function listed(store: ObjectStore, prefix: string): Promise<ListedObject[]> {
  const all: ListedObject[] = [];
  for await (const object of store.list(prefix)) {
    all.push(object);
  }
  return all;
}

export async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await listed(store, prefix)).map(({ key }) => key);
}

export function checkEqual(found: readonly unknown[], expected: readonly unknown[], what: string): void {
  check(
    found.length === expected.length && found.every((value, i) => value === expected[i]),
    `${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`,
  );
}

/** The operation must reject with this code; the error is returned. */
export async function rejection(
  operation: () => Promise<unknown>,
  code: SteleError['code'],
  what: string,
): Promise<SteleError> {
  let value: unknown;
  try {
    value = await operation();
  } catch (error) {
    if (isSteleError(error, code)) {
      return error;
    }
    throw new Error(`${what} was refused, but not as ${code}: ${String(error)}`, { cause: error });
  }
  throw new Error(`${what} was not refused as ${code}, but gave ${JSON.stringify(value)}`);
}
