/** Sets aside what can never be an item: into `bad/`, with the reason beside it, and a receipt for whoever waits. */

import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type PQueue from 'p-queue';
import { flushFolder, hasErrno } from './files.ts';
import { forAll } from './for-all.ts';
import { asideName, parseItemName, whyAside } from './item-names.ts';
import type { SpoolFolders } from './spool-folders.ts';
import type { BadFile } from './spool-items.ts';
import { leaveRefusal } from './spool-receipts.ts';

/** What a rename fails with because of what the file is or whose it is; anything else may pass. */
const UNMOVABLE = ['EACCES', 'EPERM', 'EBUSY', 'EXDEV', 'EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST'];

/**
 * Moves the files from `new/` to `bad/`. Reasons and receipts are durable before a file moves. Gives the names of files
 * that cannot be moved (a folder of somebody else's): they stay, with the reason in `bad/`, and are to be passed over.
 */
export async function setAside(io: PQueue, folders: SpoolFolders, files: readonly BadFile[]): Promise<string[]> {
  if (files.length === 0) return [];
  await forAll(io, files, (file) => explain(folders, file));
  await flushFolder(folders.bad);
  await flushFolder(folders.done);
  const moved = await forAll(io, files, (file) => moveAside(folders, file));
  await flushFolder(folders.bad);
  await flushFolder(folders.new);
  return files.flatMap(({ name }, i) => (moved[i] ? [] : [name]));
}

async function explain(folders: SpoolFolders, { name, bad }: BadFile): Promise<void> {
  await writeFile(join(folders.bad, `${asideName(name)}.why`), whyAside(name, bad), { flush: true });
  const id = parseItemName(name)?.id;
  if (id !== undefined) await leaveRefusal(folders, id, `the queue set it aside: ${bad}`);
}

/** False: it has to stay where it is. */
async function moveAside(folders: SpoolFolders, { name }: BadFile): Promise<boolean> {
  try {
    await rename(join(folders.new, name), join(folders.bad, asideName(name)));
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true;
    if (hasErrno(error, ...UNMOVABLE)) return false;
    throw error;
  }
}
