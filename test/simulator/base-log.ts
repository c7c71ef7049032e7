/** Logs of a given size, made without the program: what a schedule begins with. */

import { signNote } from '../../src/note/index.ts';
import { logSigner, ORIGIN } from './keys.ts';
import { expectedObjects, journalKey, Tree, writeRecord } from './tree.ts';

export interface BaseLog {
  readonly publicObjects: ReadonlyMap<string, Uint8Array>;
  readonly privateObjects: ReadonlyMap<string, Uint8Array>;
  readonly tree: Tree;
}

export const baseEntry = (index: number): string => `base ${index}`;

const LOG_ID = '000102030405060708090a0b0c0d0e0f';
/** All of them begin alike. */
const whole = new Tree();
const made = new Map<number, Promise<BaseLog>>();

/** Published as a whole, its last record of one entry; made once for each size. */
export function baseLog(size: number): Promise<BaseLog> {
  const existing = made.get(size);
  if (existing !== undefined) return existing;
  const log = make(size);
  made.set(size, log);
  return log;
}

async function make(size: number): Promise<BaseLog> {
  for (let index = whole.size; index < size; index++) whole.append(baseEntry(index));
  const tree = new Tree(whole, size);
  const description = { id: LOG_ID, origin: ORIGIN, keys: [logSigner.verifierKey] };
  const log = new Map<string, Uint8Array>([['log.json', new TextEncoder().encode(JSON.stringify(description))]]);
  const publicObjects = new Map(log);
  for (const { key, bytes } of expectedObjects(tree, baseEntry, 0, size)) publicObjects.set(key, bytes);
  const text = `${ORIGIN}\n${size}\n${tree.root(size).toString('base64')}\n`;
  publicObjects.set('checkpoint', await signNote(new TextEncoder().encode(text), [logSigner]));
  const privateObjects = new Map(log);
  if (size > 0) {
    const record = {
      base: size - 1,
      baseRoot: tree.root(size - 1),
      end: size,
      endRoot: tree.root(size),
      freeze: false,
      entries: [baseEntry(size - 1)],
    };
    privateObjects.set(journalKey(size - 1), writeRecord(Buffer.from(LOG_ID, 'hex'), record));
  }
  return { publicObjects, privateObjects, tree };
}
