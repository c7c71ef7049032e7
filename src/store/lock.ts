import { readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { SteleError } from '../errors.ts';
import { LOCK_FOLDER } from './keys.ts';
import { refuseNetworkFileSystem } from './network-fs.ts';
import { makeRoot, unusable } from './root.ts';
import { loadSqlite } from './sqlite.ts';

export interface LockOptions {
  /** How long to wait for another holder, in milliseconds; 0: not at all. */
  readonly waitMs: number;
  /** What the holder does, for others to read: `sequence`, `gc`, … */
  readonly holder?: string;
  readonly allowNetworkFileSystem?: boolean;
}

/** Who holds a lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  readonly verb: string;
  /** ISO 8601. */
  readonly since: string;
}

export interface Lock {
  readonly holder: LockHolder;
  release(): Promise<void>;
}

/** Another process holds the lock. `holder` is undefined if it has not said its name (yet). */
export class LockedError extends SteleError {
  readonly holder: LockHolder | undefined;

  constructor(message: string, holder: LockHolder | undefined) {
    super('locked', message);
    this.name = 'LockedError';
    this.holder = holder;
  }
}

/** SQLite's code for a lock that somebody else holds. */
const SQLITE_BUSY = 5;

/** How soon a waiting process notices that the lock is free, in ms, more or less: those who wait spread out. */
const RETRY_MS = 40;

/** How long a lock may be without its holder's name before it is believed to be held, in ms. */
const NAMELESS_MS = 1_000;

/**
 * What keeps our locks ours. The kernel ties a lock to the process and the file: it is gone when the connection is
 * collected as garbage, and when this process opens and closes that file once more, by whatever means. So every
 * connection is referred to from here, and the file lies in a folder that no key of a store can lead to.
 */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock of the directory `dir`, which is made if need be: an exclusive transaction on a SQLite file that stays
 * empty, which the kernel ends when this process does, however it ends. One lock serves a log; it lives with its
 * private store.
 *
 * Throws `locked`, naming the holder, once `waitMs` have passed, and `config` for a directory that cannot be locked.
 */
export async function lockDirectory(dir: string, options: LockOptions): Promise<Lock> {
  const folder = `${await makeRoot(dir)}/${LOCK_FOLDER}`;
  if (options.allowNetworkFileSystem !== true) {
    await refuseNetworkFileSystem(await realpath(dir));
  }
  const start = performance.now();
  for (;;) {
    const connection = await tryLock(dir, folder);
    if (connection !== undefined) {
      return settleIn(connection, folder, options.holder ?? 'unnamed');
    }
    // Two that try at the same moment can be in each other's way and both fail, so a refusal wants a holder with a
    // name; one that has just taken the lock is about to write it.
    const holder = await holderOf(folder);
    const waited = performance.now() - start;
    if (waited >= options.waitMs && (holder !== undefined || waited >= NAMELESS_MS)) {
      throw lockedError(dir, holder, options.waitMs);
    }
    await setTimeout(RETRY_MS * (0.5 + Math.random()));
  }
}

/** undefined: somebody else has it. */
async function tryLock(dir: string, folder: string): Promise<DatabaseSync | undefined> {
  await makeRoot(folder);
  let connection: DatabaseSync | undefined;
  try {
    const { DatabaseSync } = loadSqlite();
    connection = new DatabaseSync(`${folder}/exclusive`);
    connection.exec('BEGIN EXCLUSIVE');
    return connection;
  } catch (error) {
    // Not ours, so this close cannot lose a lock: SQLite keeps the file open while a connection of ours holds one.
    connection?.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) {
      return undefined;
    }
    throw unusable(dir, error);
  }
}

async function settleIn(connection: DatabaseSync, folder: string, verb: string): Promise<Lock> {
  held.add(connection);
  const holder: LockHolder = { pid: process.pid, host: hostname(), verb, since: new Date().toISOString() };
  const letGo = () => {
    if (held.delete(connection)) {
      connection.close();
    }
  };
  try {
    // Replaced in one step: a reader sees this holder or the one before, never half a name.
    await writeFile(`${folder}/holder.new`, `${JSON.stringify(holder)}\n`);
    await rename(`${folder}/holder.new`, `${folder}/holder`);
  } catch (error) {
    letGo();
    throw unusable(folder, error);
  }
  return {
    holder,
    async release() {
      if (held.has(connection)) {
        // Before letting go: afterwards the name there may be the next holder's.
        await rm(`${folder}/holder`, { force: true }).catch(() => undefined);
        letGo();
      }
    },
  };
}

function lockedError(dir: string, holder: LockHolder | undefined, waitMs: number): LockedError {
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid} on ${holder.host} (${holder.verb}, since ${holder.since})`;
  const waited = waitMs > 0 ? `, and did not let go within ${waitMs / 1000} s` : '';
  return new LockedError(
    `${dir} is locked: ${who} writes to this log${waited}; stop it, or wait for it longer (--lock-wait SECONDS)`,
    holder,
  );
}

/** Who holds a lock that is taken; undefined while that is not written there, but nothing, or the name of one killed. */
async function holderOf(folder: string): Promise<LockHolder | undefined> {
  const holder = await readFile(`${folder}/holder`, 'utf8').then(parseHolder, () => undefined);
  return holder === undefined || isGone(holder) ? undefined : holder;
}

function isGone({ pid, host }: LockHolder): boolean {
  if (host !== hostname()) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

/** The name is for people to read: one that is not understood is no name. */
function parseHolder(text: string): LockHolder | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const { pid, host, verb, since } = value as Record<string, unknown>;
  return typeof pid === 'number' && typeof host === 'string' && typeof verb === 'string' && typeof since === 'string'
    ? { pid, host, verb, since }
    : undefined;
}
