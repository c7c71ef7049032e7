/** Sets aside what can never be an item: into `bad/`, with the reason beside it, and a receipt for whoever waits. */

import type PQueue from 'p-queue';
import type { BadObject } from './bucket-items.ts';
import { type BucketPlace, keyIn, QUEUE_HEADERS } from './bucket-place.ts';
import { forAll } from './for-all.ts';
import { asideName, parseItemName, whyAside } from './item-names.ts';
import { encodeReceipt } from './receipt.ts';

/**
 * Copies the objects from `new/` to `bad/` and removes them, as buckets cannot rename. Reasons, receipts and copies are
 * there before an object goes, so nothing that could be somebody's is lost. What is too long to be copied stays, with
 * the reason in `bad/`: it is passed over, and the operator's to remove. Several sequencers may do this at once.
 */
export async function setAsideInBucket(io: PQueue, place: BucketPlace, objects: readonly BadObject[]): Promise<void> {
  await forAll(io, objects, async ({ name, bad, bytes }) => {
    // What is there already was written for the same object, by another sequencer or before a crash.
    const create = (folder: 'done' | 'bad', as: string, content: Uint8Array): Promise<boolean> =>
      place.store.create(keyIn(place, folder, as), content, QUEUE_HEADERS);
    const stays = bytes === undefined ? '; it stays in new/, passed over, until it is removed by hand' : '';
    const why = whyAside(name, `${bad}${stays}`);
    await create('bad', `${asideName(name)}.why`, new TextEncoder().encode(why));
    if (parseItemName(name)) {
      const refused = `the queue set it aside: ${bad}`;
      await create('done', name, encodeReceipt({ outcomes: [{ refused }], treeSize: 0 }));
    }
    if (bytes === undefined) return;
    await create('bad', asideName(name), bytes);
    await place.store.delete(keyIn(place, 'new', name));
  });
}
