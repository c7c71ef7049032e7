/**
 * The queue in a bucket: submitters put objects below `new/`; a sequencer takes them from there, and leaves a receipt in
 * `done/` before it removes the object. Several sequencers may serve one queue: each is given every item, the log takes
 * an entry once, and who answers first, answers for all.
 */

import PQueue from 'p-queue';
import type { Clock } from '../clock.ts';
import { isSteleError, SteleError } from '../errors.ts';
import { setAsideInBucket } from './bucket-aside.ts';
import { type BadObject, fetchItem, tooLong } from './bucket-items.ts';
import { BucketListing, type WaitingItem } from './bucket-listing.ts';
import { type BucketPlace, keyIn, placeName, QUEUE_HEADERS } from './bucket-place.ts';
import { sweepReceipts } from './bucket-sweep.ts';
import { Deliveries } from './deliveries.ts';
import { forAll } from './for-all.ts';
import { checkAnswer, encodeReceipt, SWEEP_EVERY_MS } from './receipt.ts';
import type { Answer, QueueItem, SubmissionQueue } from './types.ts';
import { Wakeup } from './wakeup.ts';

/** `queue.poll` on a bucket (DESIGN §5, "Cadence"), in milliseconds: a month of it is half a million requests. */
export const BUCKET_POLL_MS = 5_000;

/** Names held of a backlog of any length: about 10 MB of them. */
const LISTED_AT_ONCE = 65_536;
/** Items given out at a time, so that the first of many small ones do not wait for the last to be fetched. */
const MOST_ITEMS = 256;
/** Requests in flight. */
const IO_IN_FLIGHT = 32;
/** How often a receipt is put whose outcome is not known, before the sequencer is told and waits a while. */
const RECEIPT_ATTEMPTS = 3;

export interface BucketQueueOptions {
  readonly clock: Clock;
  /** Milliseconds between looks into the bucket; BUCKET_POLL_MS when not given. */
  readonly pollMs?: number | undefined;
  /** Begins to call `ring` when something may have come, as a hint; the result ends that. */
  readonly listen?: ((ring: () => void) => () => void) | undefined;
}

export class BucketQueue implements SubmissionQueue {
  readonly #place: BucketPlace;
  readonly #options: BucketQueueOptions;
  readonly #io = new PQueue({ concurrency: IO_IN_FLIGHT });
  readonly #sweeps = new PQueue({ concurrency: IO_IN_FLIGHT });
  readonly #bell = new Wakeup();
  readonly #listing: BucketListing;
  readonly #stopListening: (() => void) | undefined;
  readonly #closing = new AbortController();
  /** What waits, in order; before `#next` it is done with. */
  #listed: readonly WaitingItem[] = [];
  #next = 0;
  /** The list held all there was, and nobody has rung since: at its end the queue is empty without another request. */
  #listedAll = false;
  /**
   * Names that are not to be listed again: of delivered items, and of objects that are too long (each of which costs
   * whoever put it 16 MiB of bucket, us a name).
   */
  readonly #taken = new Set<string>();
  /** By name: each has a receipt of its own. */
  readonly #deliveries = new Deliveries<string>();
  #sweptMs: number | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  /** The store is closed with the queue. */
  constructor(place: BucketPlace, options: BucketQueueOptions) {
    this.#place = place;
    this.#options = options;
    this.#listing = new BucketListing(place);
    this.#stopListening = options.listen?.(() => {
      this.#listedAll = false;
      this.#bell.ring();
    });
  }

  /**
   * As SubmissionQueue has it, and sparing with requests: when all of a listing has been given out, the next call says
   * that there is nothing, without asking again. So one listing serves a whole poll interval.
   */
  async receive(maxBytes: number): Promise<QueueItem[]> {
    try {
      for (;;) {
        const { round } = this.#deliveries;
        if (this.#next === this.#listed.length) {
          if (this.#listedAll) {
            this.#listedAll = false;
            return [];
          }
          const listed = await this.#list();
          if (round !== this.#deliveries.round) continue;
          this.#listed = listed;
          this.#next = 0;
        }
        const { looked, sized, bad } = this.#look(maxBytes);
        const fetched = await forAll(this.#io, sized, (listed) => fetchItem(this.#place, listed));
        const unusable = [...bad, ...fetched.filter((object) => object !== undefined && 'bad' in object)];
        await setAsideInBucket(this.#io, this.#place, unusable);
        if (round !== this.#deliveries.round) continue;
        // From here nothing can fail: what is marked as delivered is returned.
        this.#next += looked;
        for (const { name } of bad) this.#taken.add(name);
        const received = fetched.filter((object) => object !== undefined && 'item' in object);
        for (const { name } of received) this.#taken.add(name);
        const items = this.#deliveries.add(received.map(({ name, item }) => [name, item]));
        if (items.length > 0) return items;
      }
    } catch (error) {
      throw this.#failure('the queue cannot be read', error);
    }
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (this.#next < this.#listed.length) return;
    const { clock, pollMs = BUCKET_POLL_MS } = this.#options;
    await this.#bell.sleep(signal, (stop) => clock.sleep(pollMs, stop));
    this.#listedAll = false;
  }

  async answer(answers: readonly Answer[]): Promise<void> {
    answers.forEach(checkAnswer);
    let left: string | undefined;
    try {
      await this.#deliveries.answerEach(this.#io, answers, async (name, { receipt }) => {
        await this.#leave(name, encodeReceipt(receipt));
        this.#taken.delete(name);
        left = name;
      });
    } catch (error) {
      throw this.#failure('the queue cannot be answered', error);
    } finally {
      this.#sweepIfDue(left);
    }
  }

  /**
   * A receipt that is there already is about this very item, from another sequencer or from before a crash, and stays true:
   * so one whose outcome is not known is put again. Only then may the item go: a crash in between delivers it again.
   */
  async #leave(name: string, receipt: Uint8Array): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#place.store.create(keyIn(this.#place, 'done', name), receipt, QUEUE_HEADERS);
        break;
      } catch (error) {
        if (attempt === RECEIPT_ATTEMPTS || !isSteleError(error, 'outcome-unknown')) throw error;
      }
    }
    await this.#place.store.delete(keyIn(this.#place, 'new', name));
  }

  async redeliver(): Promise<void> {
    this.#deliveries.forget();
    this.#listed = [];
    this.#next = 0;
    this.#listedAll = false;
    this.#taken.clear();
    this.#bell.ring();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#stopListening?.();
    this.#bell.ring();
    await this.#sweeping;
    await this.#place.store.close();
  }

  async #list(): Promise<WaitingItem[]> {
    this.#bell.hush();
    // Before anything is asked: who rings meanwhile may be about something that the listing has passed already.
    this.#listedAll = true;
    try {
      const listed = await this.#listing.list(this.#taken, LISTED_AT_ONCE);
      if (listed.length === LISTED_AT_ONCE) this.#listedAll = false;
      return listed;
    } catch (error) {
      this.#listedAll = false;
      throw error;
    }
  }

  /** The next of the list that are about `maxBytes` long together, and how many names they came from. */
  #look(maxBytes: number): { looked: number; sized: WaitingItem[]; bad: BadObject[] } {
    const sized: WaitingItem[] = [];
    const bad: BadObject[] = [];
    let bytes = 0;
    for (const listed of this.#listed.slice(this.#next, this.#next + MOST_ITEMS)) {
      const long = tooLong(listed);
      if (long) bad.push(long);
      else if (sized.length > 0 && bytes + listed.size > maxBytes) break;
      else {
        sized.push(listed);
        bytes += listed.size;
      }
    }
    return { looked: sized.length + bad.length, sized, bad };
  }

  /** In the background, where nothing but `close` waits for it; and only by who has answered, so that idling is free. */
  #sweepIfDue(justWritten: string | undefined): void {
    const now = this.#options.clock.now();
    if (justWritten === undefined) return;
    if (this.#sweptMs !== undefined && Math.abs(now - this.#sweptMs) < SWEEP_EVERY_MS) return;
    this.#sweptMs = now;
    this.#sweeping = this.#sweeping
      .then(() => sweepReceipts(this.#sweeps, this.#place, justWritten, this.#closing.signal))
      .catch(() => {});
  }

  /** What a bucket refuses stays refused (`config`); anything else may pass, and nothing of it does harm twice. */
  #failure(what: string, error: unknown): SteleError {
    if (isSteleError(error, 'config')) return error;
    const why = error instanceof Error ? error.message : String(error);
    return new SteleError('unreachable', `${what}: ${placeName(this.#place)}: ${why}`, { cause: error });
  }
}
