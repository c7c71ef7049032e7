/** Receipts in `done/`: left by the sequencer, read by whoever submitted. */

import { watch } from 'node:fs';
import { link, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isSteleError, SteleError } from '../errors.ts';
import { hasErrno, readRegularFile, regularFileSize, writeDurably } from './files.ts';
import { encodeReceipt, MAX_RECEIPT_BYTES, parseReceipt } from './receipt.ts';
import { type ReceiptPlace, waitUntilAnswered } from './receipt-wait.ts';
import { type SpoolFolders, spoolFolders, temporaryName } from './spool-folders.ts';
import { isSubmissionId } from './submission.ts';
import type { Receipt, ReceiptWait } from './types.ts';

/** How often to look where nothing tells us that a file has appeared. */
const POLL_MS = 1_000;

/**
 * The receipt of an item, or undefined while there is none. It is a hint: whoever needs to be sure verifies inclusion.
 * Throws `malformed` or `limit` for a bad id or receipt, `unreachable` when it cannot be read.
 */
export async function readReceipt(dir: string, id: string): Promise<Receipt | undefined> {
  if (!isSubmissionId(id)) throw new SteleError('malformed', `${JSON.stringify(id)} is not the id of an item`);
  const path = join(spoolFolders(dir).done, id);
  try {
    const size = await regularFileSize(path, MAX_RECEIPT_BYTES);
    const bytes = size === undefined ? undefined : await readRegularFile(path, size);
    return bytes && parseReceipt(bytes);
  } catch (error) {
    if (isSteleError(error)) throw new SteleError(error.code, `receipt ${path}: ${error.message}`, { cause: error });
    throw new SteleError('unreachable', `receipt ${path} cannot be read: ${String(error)}`, { cause: error });
  }
}

/**
 * Waits for the receipt of an item that was submitted. Throws BusyError when there is none after `timeoutMs`
 * milliseconds, `aborted` when `signal` aborts; the item stays in the queue either way.
 */
export async function waitForReceipt(dir: string, id: string, options: ReceiptWait): Promise<Receipt> {
  const place: ReceiptPlace = {
    what: `item ${id}`,
    look: () => readReceipt(dir, id),
    pauseMs: () => POLL_MS,
    listen: (ring) =>
      watchFolder(spoolFolders(dir).done, (name) => {
        if (name === null || name === id) ring();
      }),
  };
  return waitUntilAnswered(place, options);
}

/** Leaves a receipt, in place of an older one. Its bytes are durable on return; its name is once `done/` is flushed. */
export async function leaveReceipt(folders: SpoolFolders, id: string, receipt: Receipt): Promise<void> {
  const path = join(folders.tmp, temporaryName());
  await writeDurably(path, encodeReceipt(receipt));
  await rename(path, join(folders.done, id));
}

/**
 * Tells whoever waits for `id` that a file of that name was refused as a whole: one refusal, as nobody knows how many
 * entries it should have had. A receipt that is there stays: it is about a file that could be read.
 */
export async function leaveRefusal(folders: SpoolFolders, id: string, reason: string): Promise<void> {
  const path = join(folders.tmp, temporaryName());
  await writeDurably(path, encodeReceipt({ outcomes: [{ refused: reason }], treeSize: 0 }));
  try {
    await link(path, join(folders.done, id));
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * Before equal bytes are submitted again: what was refused may be taken this time, so that answer must not be mistaken
 * for the new one. Indices stay, as they stay true.
 */
export async function dropRefusal(folders: SpoolFolders, id: string): Promise<void> {
  try {
    const receipt = await readReceipt(folders.root, id);
    if (receipt?.outcomes.some((outcome) => 'refused' in outcome)) await rm(join(folders.done, id), { force: true });
  } catch (error) {
    // It is not ours to remove, or not a receipt: then it stays what it is.
    if (!hasErrno(error, 'EACCES', 'EPERM') && !isSteleError(error)) throw error;
  }
}

/**
 * Calls `onChange` with the name of a file that appeared or vanished (null where the system does not say) until the
 * returned function is called. Where nothing can be watched it is never called, so poll as well.
 */
export function watchFolder(path: string, onChange: (name: string | null) => void): () => void {
  try {
    const watcher = watch(path, { persistent: false }, (_event, name) => onChange(name));
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    // No watches left (inotify's limit), a file system without them, or no such folder.
    return () => {};
  }
}
