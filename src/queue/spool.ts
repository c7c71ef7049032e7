/**
 * The queue as a directory, after maildir: submitters write a file, flush it and rename it into `new/`; the one
 * sequencer takes it from there, and leaves a receipt in `done/` before it removes the file.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import PQueue from 'p-queue';
import type { Clock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import { Deliveries } from './deliveries.ts';
import { flushFolder } from './files.ts';
import { forAll } from './for-all.ts';
import { checkAnswer, SWEEP_EVERY_MS } from './receipt.ts';
import { setAside } from './spool-aside.ts';
import { createSpool, type SpoolFolders } from './spool-folders.ts';
import { type BadFile, inspectItem, readItem, type SizedFile } from './spool-items.ts';
import { listItems } from './spool-listing.ts';
import { leaveReceipt, watchFolder } from './spool-receipts.ts';
import { sweep } from './spool-sweep.ts';
import type { Answer, QueueItem, SubmissionQueue } from './types.ts';
import { Wakeup } from './wakeup.ts';

/** `queue.poll` on a directory (DESIGN §5, "Cadence"), in milliseconds: only where inotify does not wake us. */
export const SPOOL_POLL_MS = 1_000;

/** Names held of a backlog of any length: about 10 MB of them. */
const LISTED_AT_ONCE = 65_536;
/** Items given out at a time, so that the first of many small ones do not wait for the last to be read. */
const MOST_ITEMS = 1_024;
/** File operations in flight. Flushes want many; the thread pool's size is the real bound. */
const IO_IN_FLIGHT = 64;

export interface SpoolOptions {
  readonly clock: Clock;
  /** Milliseconds between looks into the folder when nothing wakes us; SPOOL_POLL_MS when not given. */
  readonly pollMs?: number | undefined;
}

/**
 * Opens the spool at `dir` for the sequencer, creating it below an existing parent. The caller holds the log's lock:
 * there is one at a time. Throws `config` or `unreachable` when there can be no spool.
 */
export async function openSpool(dir: string, options: SpoolOptions): Promise<SpoolQueue> {
  return new SpoolQueue(await createSpool(dir), options);
}

export class SpoolQueue implements SubmissionQueue {
  readonly #folders: SpoolFolders;
  readonly #options: SpoolOptions;
  readonly #io = new PQueue({ concurrency: IO_IN_FLIGHT });
  readonly #bell = new Wakeup();
  readonly #unwatch: () => void;
  /** Names that wait, in order; those before `#next` are done with. */
  #listed: readonly string[] = [];
  #next = 0;
  /** Files that are not to be listed again: delivered ones, and bad ones that could not be moved. */
  readonly #taken = new Set<string>();
  /** By name of their files: one answer is for all that are equal. */
  readonly #deliveries = new Deliveries<string>();
  #sweptMs: number | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(folders: SpoolFolders, options: SpoolOptions) {
    this.#folders = folders;
    this.#options = options;
    this.#unwatch = watchFolder(folders.new, () => this.#bell.ring());
  }

  async receive(maxBytes: number): Promise<QueueItem[]> {
    try {
      for (;;) {
        const { round } = this.#deliveries;
        if (this.#next === this.#listed.length) {
          const listed = await this.#list();
          if (round !== this.#deliveries.round) continue;
          if (listed.length === 0) return [];
          this.#listed = listed;
          this.#next = 0;
        }
        const { looked, sized, bad } = await this.#look(maxBytes);
        const read = await forAll(this.#io, sized, (file) => readItem(this.#folders.new, file));
        const unusable = [...bad, ...read.filter((file) => file !== undefined && 'bad' in file)];
        const unmovable = await setAside(this.#io, this.#folders, unusable);
        if (round !== this.#deliveries.round) continue;
        // From here nothing can fail: what is marked as delivered is returned.
        this.#next += looked;
        for (const name of unmovable) this.#taken.add(name);
        const files = read.filter((file) => file !== undefined && 'item' in file);
        for (const { name } of files) this.#taken.add(name);
        const items = this.#deliveries.add(files.map(({ name, item }) => [name, item]));
        if (items.length > 0) return items;
      }
    } catch (error) {
      throw this.#unreachable('the queue cannot be read', error);
    }
  }

  async wait(signal: AbortSignal): Promise<void> {
    const { clock, pollMs = SPOOL_POLL_MS } = this.#options;
    const more = this.#next < this.#listed.length || this.#listed.length === LISTED_AT_ONCE;
    if (!more) await this.#bell.sleep(signal, (stop) => clock.sleep(pollMs, stop));
  }

  async answer(answers: readonly Answer[]): Promise<void> {
    if (answers.length === 0) return;
    const { round } = this.#deliveries;
    answers.forEach(checkAnswer);
    const leaving = this.#deliveries.take(answers);
    try {
      await forAll(this.#io, leaving, ({ id, receipt }) => leaveReceipt(this.#folders, id, receipt));
      // An item leaves only when its receipt cannot be lost any more. A crash in between delivers it again.
      await flushFolder(this.#folders.done);
      const names = leaving.flatMap(({ handles }) => handles);
      await forAll(this.#io, names, (name) => rm(join(this.#folders.new, name), { force: true }));
      await flushFolder(this.#folders.new);
      for (const name of names) this.#taken.delete(name);
    } catch (error) {
      this.#deliveries.putBack(round, leaving);
      throw this.#unreachable('the queue cannot be answered', error);
    }
  }

  async redeliver(): Promise<void> {
    this.#deliveries.forget();
    this.#listed = [];
    this.#next = 0;
    this.#taken.clear();
    this.#bell.ring();
  }

  async close(): Promise<void> {
    this.#unwatch();
    this.#bell.ring();
    await this.#sweeping;
  }

  #list(): Promise<string[]> {
    this.#sweepIfDue();
    this.#bell.hush();
    return listItems(this.#folders.new, this.#taken, LISTED_AT_ONCE);
  }

  /** The next files of the list that are about `maxBytes` long together, and how many names they came from. */
  async #look(maxBytes: number): Promise<{ looked: number; sized: SizedFile[]; bad: BadFile[] }> {
    const sized: SizedFile[] = [];
    const bad: BadFile[] = [];
    let looked = 0;
    let bytes = 0;
    const upcoming = this.#listed.slice(this.#next, this.#next + MOST_ITEMS);
    while (looked < upcoming.length) {
      const names = upcoming.slice(looked, looked + IO_IN_FLIGHT);
      const files = await forAll(this.#io, names, (name) => inspectItem(this.#folders.new, name));
      for (const file of files) {
        const size = file && 'size' in file ? file.size : 0;
        if (sized.length > 0 && bytes + size > maxBytes) return { looked, sized, bad };
        looked += 1;
        bytes += size;
        if (file && 'size' in file) sized.push(file);
        if (file && 'bad' in file) bad.push(file);
      }
    }
    return { looked, sized, bad };
  }

  /** In the background: nothing waits for it but `close`. What cannot be removed now is old next time as well. */
  #sweepIfDue(): void {
    const now = this.#options.clock.now();
    if (this.#sweptMs !== undefined && Math.abs(now - this.#sweptMs) < SWEEP_EVERY_MS) return;
    this.#sweptMs = now;
    this.#sweeping = this.#sweeping.then(() => sweep(this.#folders, now)).catch(() => {});
  }

  #unreachable(what: string, error: unknown): SteleError {
    return new SteleError('unreachable', `${what} at ${this.#folders.root}: ${String(error)}`, { cause: error });
  }
}
