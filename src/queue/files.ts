/** What the spool asks of a file system: files that are whole and durable before they have their name. */

import type { Stats } from 'node:fs';
import { constants, type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { SteleError } from '../errors.ts';

/** Writes a new file and flushes it; its folder is not flushed. Nothing is left behind when it fails. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable: what was created, renamed or removed in it. */
export async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Length of a regular file, from its directory entry: a link is not followed, and nothing is opened. Undefined when
 * there is none. Throws `malformed` for what is not a regular file, `limit` above `maxBytes`.
 */
export async function regularFileSize(path: string, maxBytes: number): Promise<number | undefined> {
  const stats = await lstat(path).catch(undefinedIfAbsent<Stats>);
  if (stats === undefined) return undefined;
  if (!stats.isFile()) throw new SteleError('malformed', 'it is not a regular file');
  if (stats.size > maxBytes) {
    throw new SteleError('limit', `it has ${stats.size} bytes, above the ${maxBytes} that it may have`);
  }
  return stats.size;
}

/** The bytes of a file that `regularFileSize` found to have `size`; undefined: it is gone. Throws `malformed` if it changed. */
export async function readRegularFile(path: string, size: number): Promise<Uint8Array | undefined> {
  // What was a file a moment ago may be a link or a pipe by now: follow nothing, wait for nothing.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(undefinedIfAbsent<FileHandle>);
  if (file === undefined) return undefined;
  try {
    // Room for one byte more than expected, to notice a file that has grown.
    const bytes = new Uint8Array(size + 1);
    let length = 0;
    for (let read = 1; read > 0 && length <= size; length += read) {
      read = (await file.read(bytes, length, size + 1 - length, length)).bytesRead;
    }
    if (length !== size) throw new SteleError('malformed', 'it changed while it was read');
    return bytes.subarray(0, size);
  } finally {
    await file.close();
  }
}

/** Whether the operating system failed with one of these codes (ENOENT, EACCES …). */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}

/** For `catch`: no such file is an answer, anything else a failure. */
export function undefinedIfAbsent<T>(error: unknown): T | undefined {
  if (hasErrno(error, 'ENOENT')) return undefined;
  throw error;
}
