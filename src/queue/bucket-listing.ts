/** Which items wait in a bucket's `new/`, in order, without holding more than a bounded number of names. */

import { type BucketPlace, keyIn } from './bucket-place.ts';
import { notAboveThe, parseItemName } from './item-names.ts';

/** An object of `new/`, as it is listed. */
export interface WaitingItem {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** Submitters of which it is remembered how far their items were seen: about 10 MB of them. */
const SUBMITTERS = 65_536;

/**
 * Lists a bucket, and remembers the last item that was seen of each submitter.
 *
 * A bucket shows every object whose PUT ended before the listing began. But a listing takes many requests, and a server
 * may walk its keys during one: items put meanwhile may be shown without ones put before them, at names that were passed
 * already. A submitter numbers its items and puts one after another. So one listing is enough where each
 * submitter's items go on, without a gap, from its first or from what was seen before; where they do not (an item was
 * answered, or missed), a second listing tells.
 */
export class BucketListing {
  readonly #place: BucketPlace;
  readonly #submitters: number;
  /** The highest counter that was seen, of those who were seen last. All that it has put below was there by then. */
  readonly #seen = new Map<string, number>();

  constructor(place: BucketPlace, submitters: number = SUBMITTERS) {
    this.#place = place;
    this.#submitters = submitters;
  }

  /**
   * The earliest items, at most `limit`, ascending, without those in `skip`. Fewer than `limit`: that is all there was.
   * For each submitter they are its earliest ones, with none left out, although submitters do not stop.
   */
  async list(skip: ReadonlySet<string>, limit: number): Promise<WaitingItem[]> {
    const isWanted = (name: string): boolean => !skip.has(name);
    let items = await this.#earliest(limit, isWanted);
    if (this.#mayHaveMissed(items)) {
      const isSettled = notAboveThe(items.map(({ name }) => name));
      items = await this.#earliest(limit, (name) => isWanted(name) && isSettled(name));
    }
    for (const { name } of items) this.#remember(name);
    return items;
  }

  /** Keys are listed in order, so the earliest come first, and the listing ends with the last that is wanted. */
  async #earliest(limit: number, isWanted: (name: string) => boolean): Promise<WaitingItem[]> {
    const items: WaitingItem[] = [];
    const folder = keyIn(this.#place, 'new', '');
    for await (const { key, size } of this.#place.store.list(folder)) {
      const name = key.slice(folder.length);
      // An object with the name of the folder itself: consoles make one to show a folder.
      if (name === '' || !isWanted(name)) continue;
      items.push({ name, size });
      if (items.length === limit) break;
    }
    return items;
  }

  #mayHaveMissed(items: readonly WaitingItem[]): boolean {
    const last = new Map<string, number>();
    for (const { name } of items) {
      const item = parseItemName(name);
      if (item === undefined) continue;
      const before = last.get(item.submitter) ?? this.#seen.get(item.submitter) ?? 0;
      if (item.counter > before + 1) return true;
      last.set(item.submitter, Math.max(before, item.counter));
    }
    return false;
  }

  #remember(name: string): void {
    const item = parseItemName(name);
    if (item === undefined) return;
    const before = this.#seen.get(item.submitter) ?? 0;
    // Put behind the others: whoever has not been seen for longest is forgotten first, at the price of a listing.
    this.#seen.delete(item.submitter);
    this.#seen.set(item.submitter, Math.max(before, item.counter));
    if (this.#seen.size <= this.#submitters) return;
    for (const [submitter] of this.#seen) {
      this.#seen.delete(submitter);
      break;
    }
  }
}
