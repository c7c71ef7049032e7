import { mkdir, open, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SteleError } from '../errors.ts';

/**
 * Makes the folder and all above it, durably; returns where it really is. Links are followed down to the root of a
 * store, never below. Throws `config`, naming the path.
 */
export async function makeRoot(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    const first = await mkdir(absolute, { recursive: true });
    // Each new folder is a name in the one above it.
    for (let made = absolute; first !== undefined && made.length >= first.length; made = dirname(made)) {
      await flushFolder(dirname(made));
    }
    return await realpath(absolute);
  } catch (error) {
    throw unusable(path, error);
  }
}

export function unusable(path: string, error: unknown): SteleError {
  return new SteleError('config', `cannot use the directory ${path}: ${String(error)}`, { cause: error });
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
