/** Old receipts, and what submitters that crashed left below `tmp/`. */

import { lstat, opendir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RECEIPT_LIFE_MS } from './receipt.ts';
import type { SpoolFolders } from './spool-folders.ts';

/**
 * Removes what was last written before `nowMs` less an hour. Not flushed: what comes back is swept again. What cannot
 * be removed, or has gone meanwhile, is passed over.
 */
export async function sweep(folders: SpoolFolders, nowMs: number): Promise<void> {
  for (const folder of [folders.done, folders.tmp]) {
    for await (const { name } of await opendir(folder)) {
      await removeIfOld(join(folder, name), nowMs - RECEIPT_LIFE_MS).catch(() => {});
    }
  }
}

async function removeIfOld(path: string, beforeMs: number): Promise<void> {
  const { mtimeMs } = await lstat(path);
  if (mtimeMs < beforeMs) await rm(path);
}
