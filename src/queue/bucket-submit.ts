/** The submitter's side of a queue in a bucket: PUT on `new/` is all that it needs. */

import type { Clock } from '../clock.ts';
import { isSteleError, SteleError } from '../errors.ts';
import { type BucketPlace, keyIn, placeName, QUEUE_HEADERS } from './bucket-place.ts';
import { waitForBucketReceipt } from './bucket-receipts.ts';
import { itemNamer, randomSubmitter } from './item-names.ts';
import { encodeSubmission, splitEntries, submissionId } from './submission.ts';
import type { Receipt, ReceiptWait, Submitter } from './types.ts';

/** Tries of one PUT, and the pause after the first, which doubles: about six seconds in all. */
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 200;
/** A server that asks for a longer pause is asked again after this one, in milliseconds. */
const LONGEST_PAUSE_MS = 20_000;

export interface BucketSubmitterOptions {
  readonly clock: Clock;
  /** A number from 0 to 1, for jitter; Math.random unless given. */
  readonly random?: () => number;
}

/** One submitter: its items are taken in the order of its calls. */
export class BucketSubmitter implements Submitter {
  readonly #place: BucketPlace;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #nameItem: (id: string) => string;
  /** Ends when all earlier calls have put their items, or failed. */
  #lastTurn: Promise<unknown> = Promise.resolve();

  /** The store is closed with the submitter. */
  constructor(place: BucketPlace, options: BucketSubmitterOptions) {
    this.#place = place;
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#nameItem = itemNamer(options.clock.now, randomSubmitter());
  }

  /**
   * Puts the entries into the queue, as one item or, beyond the limits of an item, as several in order. Durable on
   * return. Gives the name of each item, to wait for its receipt.
   *
   * Throws `limit` before anything is put for an entry above 65,535 bytes; what the store throws (`unreachable`,
   * `config` where it refuses) when nothing was submitted; `outcome-unknown` when some of it may have been: submit all
   * of it again, equal entries have one place in the log.
   */
  async submit(entries: readonly Uint8Array[]): Promise<string[]> {
    const runs = splitEntries(entries);
    const turn = this.#lastTurn.then(() => this.#putAll(runs));
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  waitForReceipt(name: string, options: ReceiptWait): Promise<Receipt> {
    return waitForBucketReceipt(this.#place, name, options);
  }

  async close(): Promise<void> {
    await this.#lastTurn;
    await this.#place.store.close();
  }

  /** One after another: whoever lists the queue relies on an item being there when the next one is put. */
  async #putAll(runs: readonly Uint8Array[][]): Promise<string[]> {
    const names: string[] = [];
    for (const run of runs) {
      const bytes = encodeSubmission(run);
      const name = this.#nameItem(submissionId(bytes));
      try {
        await this.#put(name, bytes);
      } catch (error) {
        if (!isSteleError(error) || (names.length === 0 && error.code !== 'outcome-unknown')) throw error;
        const sure = `${names.length} of ${runs.length} items were put into ${placeName(this.#place)}`;
        const what = `${sure}, whether the next one was is not known: ${error.message}`;
        throw new SteleError('outcome-unknown', `${what}. Submitting them again is safe`, { cause: error });
      }
      names.push(name);
    }
    return names;
  }

  /**
   * The name is nobody else's, so an object that is there already is this one: a PUT whose outcome is not known is
   * simply done again. One that lands late, when the item was answered, has it answered again.
   */
  async #put(name: string, bytes: Uint8Array): Promise<void> {
    let unknown: SteleError | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#place.store.create(keyIn(this.#place, 'new', name), bytes, QUEUE_HEADERS);
        return;
      } catch (error) {
        if (!isSteleError(error)) throw error;
        if (error.code === 'outcome-unknown') unknown = error;
        else if (error.code !== 'unreachable') throw unknown ?? error;
        if (attempt === ATTEMPTS) throw unknown ?? error;
        await this.#clock.sleep(this.#pauseMs(attempt, error));
      }
    }
  }

  /** Doubling, half of it by chance, so that those who were sent away together do not come back together. */
  #pauseMs(attempt: number, error: SteleError): number {
    const asked = 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : 0;
    const own = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + this.#random() / 2);
    return Math.min(LONGEST_PAUSE_MS, Math.max(own, asked));
  }
}
