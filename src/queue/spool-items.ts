/** One file of `new/`: an item, something bad, or gone. */

import { join } from 'node:path';
import { isSteleError, SteleError } from '../errors.ts';
import { hasErrno, readRegularFile, regularFileSize } from './files.ts';
import { parseItemName } from './item-names.ts';
import { MAX_ITEM_BYTES, parseSubmission, submissionId } from './submission.ts';
import type { QueueItem } from './types.ts';

/** A file that will never be an item, and why. */
export interface BadFile {
  readonly name: string;
  readonly bad: string;
}

/** A file that has the size of an item. */
export interface SizedFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** An item, and the file it is in. */
export interface ItemFile {
  readonly name: string;
  readonly item: QueueItem;
}

/** Looks at name, kind and length, without opening anything. Undefined: it is gone. */
export function inspectItem(folder: string, name: string): Promise<SizedFile | BadFile | undefined> {
  return badOr(name, async () => {
    if (!parseItemName(name)) throw new SteleError('malformed', 'its name is not that of an item');
    const size = await regularFileSize(join(folder, name), MAX_ITEM_BYTES);
    return size === undefined ? undefined : { name, size };
  });
}

/** Reads and checks what `inspectItem` found. Undefined: it is gone. */
export function readItem(folder: string, { name, size }: SizedFile): Promise<ItemFile | BadFile | undefined> {
  return badOr(name, async () => {
    const bytes = await readRegularFile(join(folder, name), size);
    if (bytes === undefined) return undefined;
    const entries = parseSubmission(bytes);
    const id = submissionId(bytes);
    if (parseItemName(name)?.id !== id) throw new SteleError('malformed', `its name is not its SHA-256, ${id}`);
    return { name, item: { id, entries } };
  });
}

/** What is wrong with the file itself is a finding about it; trouble with the disk is thrown, to try again later. */
async function badOr<T>(name: string, look: () => Promise<T>): Promise<T | BadFile> {
  try {
    return await look();
  } catch (error) {
    if (isSteleError(error)) return { name, bad: error.message };
    if (hasErrno(error, 'EACCES', 'EPERM', 'ELOOP')) return { name, bad: `it cannot be read: ${String(error)}` };
    throw error;
  }
}
