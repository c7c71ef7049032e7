/** The SQLite file of a dedup cache: its tables, and opening it beside others on the same machine. */

import { rmSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { equalBytes, HASH_SIZE, sha256 } from '../merkle/index.ts';
import { loadSqlite } from './sqlite.ts';

const FORMAT = 1;
/** Memory for pages, in KiB. */
const PAGE_CACHE_KIB = 8_192;

/** How long to wait for another sequencer on this machine, in ms. */
const BUSY_MS = 2_000;
/** Tries to open a file that others open as well, and the pause between two: whoever makes it a WAL file waits for nobody. */
const OPEN_TRIES = 200;
const OPEN_PAUSE_MS = 10;

const SCHEMA = `
  PRAGMA busy_timeout = ${BUSY_MS};
  PRAGMA journal_mode = wal;
  PRAGMA synchronous = normal;
  PRAGMA cache_size = -${PAGE_CACHE_KIB};
  CREATE TABLE IF NOT EXISTS entry (leaf BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS about (
    one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, log BLOB NOT NULL, covered INTEGER NOT NULL, sum BLOB NOT NULL
  );`;

export interface About {
  readonly covered: number;
  readonly sum: Uint32Array;
}

export interface Opened {
  readonly db: DatabaseSync;
  readonly find: StatementSync;
  readonly insert: StatementSync;
  readonly note: StatementSync;
  readonly about: StatementSync;
}

/** The file is there and readable, and what it holds is of no use. */
class UselessError extends Error {}

const SQLITE_BUSY = 5;
/** SQLITE_ERROR (an older schema), SQLITE_CORRUPT, SQLITE_NOTADB: as against a file that is busy or cannot be read now. */
const USELESS_CODES = new Set([1, 11, 26]);

/** Whether there is nothing to lose by making the file anew. One that another sequencer has open must not be taken for that. */
export function isUseless(error: unknown): boolean {
  if (error instanceof UselessError) return true;
  return USELESS_CODES.has(codeOf(error));
}

/** SQLite's primary result code, the low byte; 0 where it is no error of SQLite's. */
function codeOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) % 256 : 0;
}

export function openFile(path: string, logId: Uint8Array): [Opened, About] {
  for (let tries = 1; ; tries++) {
    try {
      return tryToOpen(path, logId);
    } catch (error) {
      if (codeOf(error) !== SQLITE_BUSY || tries === OPEN_TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPEN_PAUSE_MS);
    }
  }
}

function tryToOpen(path: string, logId: Uint8Array): [Opened, About] {
  const { DatabaseSync } = loadSqlite();
  const db = new DatabaseSync(path);
  try {
    db.exec(SCHEMA);
    const about = db.prepare('SELECT format, log, covered, sum FROM about');
    // Whoever opens a new one at the same time may be sooner.
    db.prepare('INSERT OR IGNORE INTO about VALUES (1, ?, ?, 0, ?)').run(
      FORMAT,
      logId,
      sealed(0, new Uint32Array(HASH_SIZE / 4)),
    );
    const row = about.get();
    if (row?.['format'] !== FORMAT || !(row['log'] instanceof Uint8Array) || Buffer.compare(row['log'], logId) !== 0) {
      throw new UselessError('the cache is of another format or log');
    }
    return [
      {
        db,
        find: db.prepare('SELECT place FROM entry WHERE leaf = ?'),
        insert: db.prepare('INSERT OR IGNORE INTO entry VALUES (?, ?)'),
        note: db.prepare('UPDATE about SET covered = ?, sum = ?'),
        about,
      },
      aboutOf(row),
    ];
  } catch (error) {
    db.close();
    throw error;
  }
}

export function aboutOf(row: Readonly<Record<string, unknown>> | undefined): About {
  if (row === undefined) return { covered: 0, sum: new Uint32Array(HASH_SIZE / 4) };
  const { covered } = row;
  if (typeof covered !== 'number' || !(row['sum'] instanceof Uint8Array))
    throw new UselessError('the cache covers nothing');
  const sum = wordsOf(row['sum']);
  if (!equalBytes(row['sum'], sealed(covered, sum))) throw new UselessError('the cache is damaged');
  return { covered, sum };
}

/** The sum as it is kept: with a digest, so that neither it nor `covered` can change unseen. */
export function sealed(covered: number, sum: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(sum.buffer, sum.byteOffset, sum.byteLength);
  return Buffer.concat([bytes, sha256(Buffer.concat([Buffer.from(`${covered} `), bytes]))]);
}

export function wordsOf(bytes: Uint8Array): Uint32Array {
  const aligned = new Uint8Array(HASH_SIZE);
  aligned.set(bytes.subarray(0, HASH_SIZE));
  return new Uint32Array(aligned.buffer);
}

export function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true });
}
