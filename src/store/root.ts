import { mkdir, open, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SteleError } from '../errors.ts';
import { errnoOf } from './directory-errors.ts';

/**
 * Makes the folder and all above it, durably; returns where it really is. Links are followed down to the root of a
 * store, never below. Throws `config`, naming the path.
 */
export async function makeRoot(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    await makeFolders(absolute);
    return await realpath(absolute);
  } catch (error) {
    throw unusable(path, error);
  }
}

export function unusable(path: string, error: unknown): SteleError {
  return new SteleError('config', `cannot use the directory ${path}: ${String(error)}`, { cause: error });
}

/**
 * One by one, below the first that is there. Node's own `recursive` asks again for ever where the system says ENOENT
 * about a name below a folder that exists, as it does in /proc.
 */
async function makeFolders(path: string): Promise<void> {
  if (await isFolder(path)) {
    return;
  }
  await makeFolders(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    // Somebody else has made it since, unless it is a link to nowhere.
    if (errnoOf(error) !== 'EEXIST' || !(await isFolder(path))) {
      throw error;
    }
  }
  // A new folder is a name in the one above it.
  await flushFolder(dirname(path));
}

/** False: nothing is there. Rejects where something else is. */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) {
      return true;
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      return false;
    }
    throw error;
  }
  throw new Error(`${path} is not a folder`);
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
