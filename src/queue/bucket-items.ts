/** One object of `new/`: an item, something bad, or gone. */

import { isSteleError, SteleError } from '../errors.ts';
import type { WaitingItem } from './bucket-listing.ts';
import { type BucketPlace, keyIn } from './bucket-place.ts';
import { parseItemName } from './item-names.ts';
import { MAX_ITEM_BYTES, parseSubmission, submissionId } from './submission.ts';
import type { QueueItem } from './types.ts';

/** An object that will never be an item, and why. */
export interface BadObject {
  readonly name: string;
  readonly bad: string;
  /** What is in it; undefined: it is too long to be fetched. */
  readonly bytes: Uint8Array | undefined;
}

/** An item, and the object it is in. */
export interface FetchedItem {
  readonly name: string;
  readonly item: QueueItem;
}

/** Why an object is not even fetched, by what its listing says; undefined for one that is. */
export function tooLong({ name, size }: WaitingItem): BadObject | undefined {
  if (size <= MAX_ITEM_BYTES) return undefined;
  return { name, bad: `it has ${size} bytes, above the ${MAX_ITEM_BYTES} that it may have`, bytes: undefined };
}

/** Fetches and checks an object that was listed. Undefined: it is gone, as another sequencer has answered it. */
export async function fetchItem(place: BucketPlace, listed: WaitingItem): Promise<FetchedItem | BadObject | undefined> {
  const { name } = listed;
  const bytes = await fetchListed(place, listed);
  if (bytes === undefined) return undefined;
  try {
    const id = submissionId(bytes);
    const named = parseItemName(name);
    if (named === undefined) throw new SteleError('malformed', 'its name is not that of an item');
    const entries = parseSubmission(bytes);
    if (named.id !== id) throw new SteleError('malformed', `its name is not its SHA-256, ${id}`);
    return { name, item: { id, entries } };
  } catch (error) {
    if (isSteleError(error)) return { name, bad: error.message, bytes };
    throw error;
  }
}

/** At most as much as was listed, which is what the caller has room for. */
async function fetchListed(place: BucketPlace, { name, size }: WaitingItem): Promise<Uint8Array | undefined> {
  try {
    return (await place.store.get(keyIn(place, 'new', name), { maxBytes: size }))?.bytes;
  } catch (error) {
    // Somebody has put other bytes there since: then it is another object, listed anew with a length of its own.
    if (isSteleError(error, 'limit')) return undefined;
    throw error;
  }
}
