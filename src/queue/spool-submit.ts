/** The submitter's side of a spool: no lock, any number of processes at once. */

import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { systemClock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import { flushFolder, writeDurably } from './files.ts';
import { forAll } from './for-all.ts';
import { itemNamer } from './item-names.ts';
import { createSpool, PROCESS, type SpoolFolders, spoolFolders, temporaryName } from './spool-folders.ts';
import { dropRefusal, waitForReceipt } from './spool-receipts.ts';
import { encodeSubmission, splitEntries, submissionId } from './submission.ts';
import type { Submitter } from './types.ts';

/** Files being flushed at a time, of at most 16 MiB each. */
const WRITES_IN_FLIGHT = 16;
const writes = new PQueue({ concurrency: WRITES_IN_FLIGHT });

/** Spools that this process has found ready, or made so. */
const ready = new Map<string, Promise<SpoolFolders>>();
const nameItem = itemNamer(systemClock.now, PROCESS);
/** Ends when all earlier calls have put their items into `new/`. */
let lastTurn: Promise<void> = Promise.resolve();

interface StagedItem {
  readonly id: string;
  /** Below `tmp/`, whole and flushed. */
  readonly path: string;
}

/**
 * Puts the entries into the spool at `dir`, as one item or, beyond the limits of an item, as several in order. Durable
 * on return. Items of one process are taken in the order of its calls. Gives the id of each item, to wait for its receipt.
 *
 * Throws `limit` before anything is written for an entry above 65,535 bytes, `config` where there is no log,
 * `unreachable` when nothing was submitted, `outcome-unknown` when some of it may have been: submit all of it again,
 * equal entries have one place in the log.
 */
export async function submitToSpool(dir: string, entries: readonly Uint8Array[]): Promise<{ readonly id: string }[]> {
  const runs = splitEntries(entries);
  if (runs.length === 0) return [];
  const staging = stage(dir, runs);
  const moving = moveAfter(lastTurn, dir, staging);
  lastTurn = moving.catch(() => {});
  const items = await staging;
  try {
    await moving;
    await flushFolder(spoolFolders(dir).new);
  } catch (error) {
    await removeAll(items);
    const what = `whether ${items.length} items were submitted to ${dir} is not known: ${String(error)}`;
    throw new SteleError('outcome-unknown', `${what}. Submitting them again is safe`, { cause: error });
  }
  return items.map(({ id }) => ({ id }));
}

/** The spool at `dir` as any queue is seen by those who submit; the name of an item is its id. */
export function openSpoolSubmitter(dir: string): Submitter {
  return {
    submit: async (entries) => (await submitToSpool(dir, entries)).map(({ id }) => id),
    waitForReceipt: (id, options) => waitForReceipt(dir, id, options),
    async close() {},
  };
}

/** Writes the items below `tmp/`, all or none of them. */
async function stage(dir: string, runs: readonly Uint8Array[][]): Promise<StagedItem[]> {
  const { tmp } = await prepare(dir);
  const planned = runs.map((run) => ({ run, path: join(tmp, temporaryName()) }));
  try {
    return await forAll(writes, planned, async ({ run, path }) => {
      const bytes = encodeSubmission(run);
      await writeDurably(path, bytes);
      return { id: submissionId(bytes), path };
    });
  } catch (error) {
    ready.delete(dir);
    await removeAll(planned);
    throw new SteleError('unreachable', `nothing was submitted to ${dir}: ${String(error)}`, { cause: error });
  }
}

/** Gives the items their names in `new/` when it is their turn. */
async function moveAfter(turn: Promise<void>, dir: string, staging: Promise<readonly StagedItem[]>): Promise<void> {
  const items = await staging;
  const folders = spoolFolders(dir);
  await turn;
  for (const { id, path } of items) {
    // First the old answer goes, then the new question comes: the other way round, a quick answer would be lost.
    await dropRefusal(folders, id);
    await rename(path, join(folders.new, nameItem(id)));
  }
}

function prepare(dir: string): Promise<SpoolFolders> {
  const known = ready.get(dir);
  if (known) return known;
  const preparing = createSpool(dir);
  ready.set(dir, preparing);
  preparing.catch(() => ready.delete(dir));
  return preparing;
}

/** A staged file that stays is never read, and swept in time: failing to remove it is no failure. */
async function removeAll(files: readonly { readonly path: string }[]): Promise<void> {
  await Promise.allSettled(files.map(({ path }) => rm(path, { force: true })));
}
