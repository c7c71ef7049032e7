/**
 * How a spool is laid out (tiles-spec/submission.md): `tmp/` for files being written, `new/` for items that wait,
 * `done/` for receipts, `bad/` for what was set aside.
 */

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SteleError } from '../errors.ts';
import { flushFolder, hasErrno } from './files.ts';

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

/** This process (or thread) among all that ever submit: 16 hex digits. */
const PROCESS = randomBytes(8).toString('hex');
let temporaries = 0;

/** A name below `tmp/` that nobody else uses. */
export function temporaryName(): string {
  temporaries += 1;
  return `${PROCESS}-${temporaries}`;
}

/**
 * The names of one process's items in `new/`, in the order of the calls:
 *
 *     0001764000000000-9f86d081884c7d65-0000000042-<id, 64 hex digits>
 *     └ ms since 1970  └ the process    └ counter
 *
 * Ascending byte order is the order in which they are taken. The time only keeps processes roughly in turn: for one
 * process it never decreases, whatever its clock does, and the counter decides between equal times.
 */
export function itemNamer(now: () => number, submitter: string = PROCESS): (id: string) => string {
  let time = 0;
  let counter = 0;
  return (id) => {
    time = Math.max(time, Math.floor(now()));
    counter += 1;
    return `${String(time).padStart(16, '0')}-${submitter}-${String(counter).padStart(10, '0')}-${id}`;
  };
}

/** What the name of an item says, or undefined for a name that no submitter gives. */
export function parseItemName(name: string): { readonly submitter: string; readonly id: string } | undefined {
  const [, submitter, id] = /^[0-9]{16}-([0-9a-f]{16})-[0-9]{10}-([0-9a-f]{64})$/.exec(name) ?? [];
  return submitter !== undefined && id !== undefined ? { submitter, id } : undefined;
}
