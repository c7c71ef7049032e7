/** Entries submitted one by one through a queue that others empty: those that come together travel together. */

import type { Clock } from '../clock.ts';
import { BusyError, SteleError } from '../errors.ts';
import { refusalError } from './refusal.ts';
import { checkEntry } from './submission.ts';
import type { Accepted, Submitter, Waiting } from './types.ts';

export interface SingleSubmitterOptions {
  readonly clock: Clock;
  /** Entries that may wait for their answer, and their bytes; more is `busy`. */
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** How long an item is waited for, in milliseconds. */
  readonly timeoutMs: number;
}

/** As many as make up a bundle: an item is answered when the last of it is published. */
const ITEM_ENTRIES = 256;
const ITEM_BYTES = 2 ** 20;
const RETRY_AFTER_MS = 1_000;

interface Pending {
  readonly entry: Uint8Array;
  readonly arrivedMs: number;
  readonly resolve: (accepted: Accepted) => void;
  readonly reject: (error: unknown) => void;
}

export class SingleSubmitter {
  readonly #submitter: Submitter;
  readonly #options: SingleSubmitterOptions;
  readonly #closing = new AbortController();
  /** In order of arrival; a Set, for they are answered in any order. */
  readonly #unanswered = new Set<Pending>();
  /** Those that no item has yet. */
  #gathered: Pending[] = [];
  #bytes = 0;
  #submitting: Promise<void> | undefined;
  readonly #waits = new Set<Promise<void>>();

  constructor(submitter: Submitter, options: SingleSubmitterOptions) {
    this.#submitter = submitter;
    this.#options = options;
  }

  waiting(): Waiting {
    const [oldest] = this.#unanswered;
    const oldestMs = oldest === undefined ? 0 : this.#options.clock.now() - oldest.arrivedMs;
    return { entries: this.#unanswered.size, bytes: this.#bytes, oldestMs };
  }

  /**
   * Submits one entry; resolves with its receipt's word for it, which is a hint. Throws `limit` for an entry above 65,535
   * bytes, `busy` when too many wait or no receipt came in time, `frozen`, `aborted` when `signal` aborts, and what
   * submitting throws. After all but the first two the entry may be logged all the same.
   */
  submitOne(entry: Uint8Array, signal: AbortSignal): Promise<Accepted> {
    return new Promise((resolve, reject) => {
      checkEntry(entry, 0);
      const { clock, maxEntries, maxBytes } = this.#options;
      if (this.#closing.signal.aborted) throw closed();
      if (this.#unanswered.size >= maxEntries || this.#bytes + entry.length > maxBytes) {
        throw new BusyError(`${this.#unanswered.size} entries wait to be published already`, RETRY_AFTER_MS);
      }
      const abort = (): void => reject(new SteleError('aborted', 'the caller no longer waits'));
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort);
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          if (!this.#unanswered.delete(pending)) return; // `close` was sooner
          signal.removeEventListener('abort', abort);
          this.#bytes -= entry.length;
          settle(value);
        };
      const pending = { entry, arrivedMs: clock.now(), resolve: settled(resolve), reject: settled(reject) };
      this.#unanswered.add(pending);
      this.#bytes += entry.length;
      this.#gathered.push(pending);
      this.#submitting ??= this.#submitAll();
    });
  }

  /** Whoever still waits is told `aborted`; what was submitted stays in the queue. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const { reject } of this.#unanswered) reject(closed());
    await this.#submitting;
    await Promise.all(this.#waits);
    await this.#submitter.close();
  }

  /** One item at a time: what comes meanwhile goes into the next one. */
  async #submitAll(): Promise<void> {
    await Promise.resolve(); // all that comes in this turn of the event loop is one item
    while (this.#gathered.length > 0 && !this.#closing.signal.aborted) {
      const item = this.#nextItem();
      try {
        const [name] = await this.#submitter.submit(item.map(({ entry }) => entry));
        if (name === undefined) throw new SteleError('aborted', 'the queue gave its item no name');
        const waiting: Promise<void> = this.#await(name, item).finally(() => this.#waits.delete(waiting));
        this.#waits.add(waiting);
      } catch (error) {
        for (const { reject } of item) reject(error);
      }
    }
    this.#submitting = undefined; // in the turn that found nothing more: what comes in the next one begins anew
  }

  #nextItem(): readonly Pending[] {
    let bytes = 0;
    let count = 0;
    for (const { entry } of this.#gathered) {
      bytes += entry.length;
      if (count > 0 && (count === ITEM_ENTRIES || bytes > ITEM_BYTES)) break;
      count += 1;
    }
    return this.#gathered.splice(0, count);
  }

  async #await(name: string, item: readonly Pending[]): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    try {
      const { outcomes } = await this.#submitter.waitForReceipt(name, {
        timeoutMs,
        clock,
        signal: this.#closing.signal,
      });
      const all = outcomes.length === 1 && outcomes[0] !== undefined && 'refused' in outcomes[0];
      if (!all && outcomes.length !== item.length) {
        throw new SteleError(
          'malformed',
          `the receipt of ${name} has ${outcomes.length} outcomes for ${item.length} entries`,
        );
      }
      for (const [place, { resolve, reject }] of item.entries()) {
        // An item that was set aside as a whole has one refusal for all of its entries.
        const outcome = outcomes[all ? 0 : place];
        if (outcome === undefined) continue;
        if ('index' in outcome) resolve(outcome);
        else reject(refusalError(outcome.refused));
      }
    } catch (error) {
      for (const { reject } of item) reject(error);
    }
  }
}

function closed(): SteleError {
  return new SteleError('aborted', 'the server is shutting down; send the entry again, it is logged once');
}
