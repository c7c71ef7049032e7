/** Receipts in a bucket's `done/`, as whoever submitted reads them: with GET on that folder and nothing else. */

import { DeniedError, isSteleError, SteleError } from '../errors.ts';
import { type BucketPlace, keyIn } from './bucket-place.ts';
import { parseItemName } from './item-names.ts';
import { MAX_RECEIPT_BYTES, parseReceipt } from './receipt.ts';
import { waitUntilAnswered } from './receipt-wait.ts';
import type { Receipt, ReceiptWait } from './types.ts';

/** An answer takes a publication at least; then most are quick, and the others cost a request every two seconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * The receipt of an item, by its name, or undefined while there is none. It is a hint: whoever needs to be sure verifies
 * inclusion. Throws `malformed` or `limit` for a bad name or receipt, and what the store throws: DeniedError where the
 * bucket refuses the request, which AWS does for absent objects, too, unless listing is allowed.
 */
export async function readBucketReceipt(place: BucketPlace, name: string): Promise<Receipt | undefined> {
  if (!parseItemName(name)) throw new SteleError('malformed', `${JSON.stringify(name)} is not the name of an item`);
  const key = keyIn(place, 'done', name);
  const found = await place.store.get(key, { maxBytes: MAX_RECEIPT_BYTES });
  try {
    return found && parseReceipt(found.bytes);
  } catch (error) {
    if (!isSteleError(error)) throw error;
    throw new SteleError(error.code, `receipt ${key} in ${place.store.url}: ${error.message}`, { cause: error });
  }
}

/**
 * Waits for the receipt of an item that was submitted. Throws BusyError when there is none after `timeoutMs`
 * milliseconds, `aborted` when `signal` aborts; the item stays in the queue either way. A bucket that refuses or cannot
 * be reached is asked again: a refusal may be an answer that is not there yet. Throws `config` for what stays wrong.
 */
export async function waitForBucketReceipt(place: BucketPlace, name: string, options: ReceiptWait): Promise<Receipt> {
  let trouble: Error | undefined;
  const look = async (): Promise<Receipt | undefined> => {
    try {
      const receipt = await readBucketReceipt(place, name);
      trouble = undefined;
      return receipt;
    } catch (error) {
      if (!(error instanceof DeniedError) && !isSteleError(error, 'unreachable')) throw error;
      trouble = error;
      return undefined;
    }
  };
  const pauseMs = (looks: number): number => Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(looks - 1, 10));
  return waitUntilAnswered({ what: `item ${name}`, look, pauseMs, trouble: () => trouble }, options);
}
