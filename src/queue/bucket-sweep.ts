/** Old receipts in a bucket. */

import type PQueue from 'p-queue';
import { type BucketPlace, keyIn } from './bucket-place.ts';
import { RECEIPT_LIFE_MS } from './receipt.ts';

/** Deletions waiting for their turn; the listing waits for them. */
const MOST_WAITING = 256;
/** What is removed at most once somebody waits for the end of it: about a second's worth. */
const MOST_WHEN_CLOSING = 1_024;

/**
 * Removes the receipts that were written an hour before `justWritten`, the name of one of them. So the store's times are
 * compared with each other: by a clock that is wrong by hours, all receipts would be gone before anybody read them.
 * Costs a listing of one object, and one of all. Once `closing` aborts it ends early, but not without having removed
 * something: a sequencer that cron starts is closed as soon as it has answered.
 */
export async function sweepReceipts(
  io: PQueue,
  place: BucketPlace,
  justWritten: string,
  closing: AbortSignal,
): Promise<void> {
  const key = keyIn(place, 'done', justWritten);
  let beforeMs: number | undefined;
  for await (const listed of place.store.list(key)) {
    if (listed.key === key) beforeMs = listed.modified - RECEIPT_LIFE_MS;
    break;
  }
  if (beforeMs === undefined) return;
  let left = MOST_WHEN_CLOSING;
  for await (const receipt of place.store.list(keyIn(place, 'done', ''))) {
    if (closing.aborted && left === 0) break;
    if (receipt.modified >= beforeMs) continue;
    if (closing.aborted) left -= 1;
    await io.onSizeLessThan(MOST_WAITING);
    // What cannot be removed now is old next time as well.
    io.add(() => place.store.delete(receipt.key)).catch(() => {});
  }
  await io.onIdle();
}
