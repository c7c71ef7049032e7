/**
 * How a spool is laid out (tiles-spec/submission.md): `tmp/` for files being written, `new/` for items that wait,
 * `done/` for receipts, `bad/` for what was set aside.
 */

import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SteleError } from '../errors.ts';
import { flushFolder, hasErrno } from './files.ts';
import { randomSubmitter } from './item-names.ts';

export interface SpoolFolders {
  readonly root: string;
  readonly tmp: string;
  readonly new: string;
  readonly done: string;
  readonly bad: string;
}

/** Where the folders of the spool at `dir` are; they need not exist. */
export function spoolFolders(dir: string): SpoolFolders {
  const below = (name: string): string => join(dir, name);
  return { root: dir, tmp: below('tmp'), new: below('new'), done: below('done'), bad: below('bad') };
}

/**
 * Creates what is missing of a spool, durably. Its parent must exist: a mistyped directory is not made into a queue
 * that nobody reads. Throws `config` when it does not, `unreachable` when the folders cannot be created.
 */
export async function createSpool(dir: string): Promise<SpoolFolders> {
  const folders = spoolFolders(dir);
  try {
    for (const path of Object.values(folders)) await createFolder(path);
    // Also when all were there: whoever made them may have crashed before flushing.
    await flushFolder(folders.root);
    await flushFolder(dirname(folders.root));
  } catch (error) {
    const why = `cannot prepare the queue at ${dir}: ${String(error)}`;
    if (hasErrno(error, 'ENOENT')) throw new SteleError('config', `${why}. Is this a log?`, { cause: error });
    throw new SteleError('unreachable', why, { cause: error });
  }
  return folders;
}

async function createFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

/** This process (or thread) among all that use a spool. */
export const PROCESS = randomSubmitter();
let temporaries = 0;

/** A name below `tmp/` that nobody else uses. */
export function temporaryName(): string {
  temporaries += 1;
  return `${PROCESS}-${temporaries}`;
}
