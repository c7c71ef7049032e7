/** The last checkpoint of each log that this user saw: what the log is held against the next time. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isSteleError, SteleError } from '../errors.ts';
import { logIdOf, openCheckpoint, type SignedCheckpoint, type Verifier } from '../note/index.ts';
import type { Environment } from './config.ts';

/** Where they are kept: `$XDG_STATE_HOME/stele`, `~/.local/state/stele` unless set. */
export function seenFolder(environment: Environment): string {
  const { XDG_STATE_HOME: state, HOME: home } = environment;
  return join(state ?? join(home ?? homedir(), '.local', 'state'), 'stele');
}

/** The one that was seen last, or undefined for a log that is new. Throws `config` where it cannot be read or is damaged. */
export async function readSeen(folder: string, log: Verifier): Promise<SignedCheckpoint | undefined> {
  const path = pathOf(folder, log);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SteleError('config', `cannot read ${path}: ${String(cause)}`, { cause });
  }
  try {
    return openCheckpoint(bytes, log);
  } catch (cause) {
    if (!isSteleError(cause)) throw cause;
    const message = `${path} is not what was kept there (${cause.message}): look into it, then remove it`;
    throw new SteleError('config', message, { cause });
  }
}

/** Keeps a checkpoint that was verified to extend the one before it. Throws `config`. */
export async function keepSeen(folder: string, log: Verifier, { bytes }: SignedCheckpoint): Promise<void> {
  const path = pathOf(folder, log);
  const temporary = `${path}.${process.pid}`;
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, bytes);
    await rename(temporary, path);
  } catch (cause) {
    throw new SteleError('config', `cannot write ${path}: ${String(cause)}`, { cause });
  }
}

function pathOf(folder: string, log: Verifier): string {
  return join(folder, `${Buffer.from(logIdOf(log)).toString('hex')}.checkpoint`);
}
