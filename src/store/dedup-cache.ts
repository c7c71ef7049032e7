/**
 * The older entries of a log by leaf hash, in a local SQLite file that may be deleted at any time.
 *
 * Whole hashes are kept: entries that share half of a hash stay apart (DEDUP-9). A file of another log, of another
 * format, or one that SQLite finds damaged is made anew. A sum over all rows, checked a slice at a time while the log is
 * in use, finds rows that changed without SQLite's noticing.
 */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { SteleError } from '../errors.ts';
import { HASH_SIZE } from '../merkle/index.ts';
import { type About, aboutOf, isUseless, type Opened, openFile, removeFile, sealed, wordsOf } from './dedup-file.ts';
import { UnreachableError } from './errors.ts';

/** Rows that are written or checked before others get their turn: some milliseconds. */
const SLICE = 1_000;

/** Serves a writer as its `OlderEntries` (src/sequencer/older-entries.ts), which see. */
export class DedupCache {
  readonly #path: string;
  readonly #logId: Uint8Array;
  #opened: Opened;
  #about: About;
  /** Counts what was forgotten: a check of what was there before says nothing of what is there now. */
  #life = 0;

  /** Opens or makes the file. Throws `config` where there can be none. */
  static open(path: string, logId: Uint8Array): DedupCache {
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      return new DedupCache(path, logId);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SteleError('config', `the dedup cache ${path} can be neither opened nor made: ${why}`, { cause });
    }
  }

  private constructor(path: string, logId: Uint8Array) {
    this.#path = path;
    this.#logId = logId;
    try {
      [this.#opened, this.#about] = openFile(path, logId);
    } catch (error) {
      if (!isUseless(error)) throw error;
      removeFile(path);
      [this.#opened, this.#about] = openFile(path, logId);
    }
  }

  get covered(): number {
    return this.#about.covered;
  }

  find(leafHash: Uint8Array): number | undefined {
    try {
      const row = this.#opened.find.get(leafHash);
      return row === undefined ? undefined : Number(row['place']);
    } catch {
      this.forget(); // SQLite says that the file is damaged
      return undefined;
    }
  }

  async add(first: number, hashes: Uint8Array): Promise<void> {
    const life = this.#life;
    for (let from = this.#about.covered; from < first + hashes.length / HASH_SIZE; from = this.#about.covered) {
      if (from < first) return; // forgotten meanwhile
      try {
        this.#addSlice(from, hashes.subarray((from - first) * HASH_SIZE, (from - first + SLICE) * HASH_SIZE));
      } catch (cause) {
        throw this.#failure(cause);
      }
      await setImmediate();
      if (this.#life !== life) return;
    }
  }

  forget(): void {
    this.close();
    removeFile(this.#path);
    [this.#opened, this.#about] = openFile(this.#path, this.#logId);
  }

  /** Whether every row is as it was written; a damaged cache is forgotten. Stops early where it is forgotten meanwhile. */
  async check(): Promise<boolean> {
    const life = this.#life;
    const { sum: expected, covered } = this.#about;
    const sum = new Uint32Array(expected.length);
    try {
      const rows = this.#opened.db.prepare('SELECT leaf, place FROM entry WHERE leaf > ? ORDER BY leaf LIMIT ?');
      let last: Uint8Array = new Uint8Array();
      for (;;) {
        const slice = rows.all(last, SLICE);
        for (const { leaf, place } of slice) {
          if (!(leaf instanceof Uint8Array) || leaf.length !== HASH_SIZE) throw new Error('a row is no entry');
          if (Number(place) < covered) addTo(sum, leaf, Number(place));
          last = leaf;
        }
        if (slice.length < SLICE) break;
        await setImmediate();
        if (this.#life !== life) return true;
      }
      if (sum.every((word, k) => word === expected[k])) return true;
    } catch {
      if (this.#life !== life) return true; // closed under us
    }
    this.forget();
    return false;
  }

  close(): void {
    this.#life += 1; // a check that is under way has nothing more to say
    try {
      this.#opened.db.close();
    } catch {
      // closed already, or damaged: there is nothing in it that cannot be had again
    }
  }

  /** A damaged file is made anew before anybody tries again; a full disk is for the operator to mend. */
  #failure(cause: unknown): SteleError {
    const why = cause instanceof Error ? cause.message : String(cause);
    if (/malformed|not a database/.test(why)) this.forget();
    return new UnreachableError(`the dedup cache ${this.#path} cannot be written: ${why}`, { cause });
  }

  #addSlice(first: number, hashes: Uint8Array): void {
    const { db, insert, note, about } = this.#opened;
    const count = hashes.length / HASH_SIZE;
    db.exec('BEGIN IMMEDIATE');
    try {
      const before = aboutOf(about.get());
      if (before.covered !== first) {
        // Another sequencer on this machine has learned it, or forgotten everything.
        this.#about = before;
        db.exec('ROLLBACK');
        return;
      }
      const { sum } = before;
      for (let i = 0; i < count; i++) {
        const leaf = hashes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE);
        // Of equal entries, which another writer's mistake can bring about, the first one counts.
        if (insert.run(leaf, first + i).changes === 1) addTo(sum, leaf, first + i);
      }
      note.run(first + count, sealed(first + count, sum));
      db.exec('COMMIT');
      this.#about = { covered: first + count, sum };
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}

/** Order does not matter to it; a row that is lost, added or changed does. */
function addTo(sum: Uint32Array, leaf: Uint8Array, place: number): void {
  const words = wordsOf(leaf);
  const low = place % 2 ** 32;
  const high = Math.floor(place / 2 ** 32);
  for (let k = 0; k < sum.length; k++) {
    const mixed = Math.imul((words[k] ?? 0) ^ low, 0x9e3779b1) ^ Math.imul(high + k + 1, 0x85ebca6b);
    sum[k] = (sum[k] ?? 0) + mixed;
  }
}
