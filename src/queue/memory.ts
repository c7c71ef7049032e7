/** The queue inside one process: whoever submits holds a promise, and a crash drops what was not answered. */

import type { Clock } from '../clock.ts';
import { BusyError, SteleError } from '../errors.ts';
import { type EntryRun, encodeRun } from '../tiles/index.ts';
import { checkAnswer } from './receipt.ts';
import { refusalError } from './refusal.ts';
import { checkEntry, splitEntries } from './submission.ts';
import type { Accepted, Answer, QueueItem, Receipt, SubmissionQueue, Waiting } from './types.ts';
import { Wakeup } from './wakeup.ts';

/** When a queue says that it is full. All count what was submitted and is not answered yet, delivered or not. */
export interface QueueLimits {
  readonly maxEntries: number;
  /** Bytes of entries. */
  readonly maxBytes: number;
  /** Nothing more is taken while something has waited for an answer longer than this, in milliseconds. */
  readonly maxAgeMs: number;
  /** What those who are turned away are told, in milliseconds. */
  readonly retryAfterMs: number;
}

/** The bounds of DESIGN §5, "Cadence". */
export const QUEUE_LIMITS: QueueLimits = {
  maxEntries: 1_000_000,
  maxBytes: 128 * 2 ** 20,
  maxAgeMs: 60_000,
  retryAfterMs: 1_000,
};

/**
 * Entries submitted one by one travel together, up to this many or this many bytes an item: an item per entry would
 * cost more than the entry. It is a tile's width, because an item is answered when the last of it is published.
 */
const JOINED_ENTRIES = 256;
const JOINED_BYTES = 2 ** 20;

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: SteleError) => void;
}

interface Pending {
  readonly id: string;
  /** Until the item is first delivered. */
  entries: Uint8Array[];
  /** From then on. */
  run: EntryRun | undefined;
  count: number;
  readonly arrivedMs: number;
  bytes: number;
  answered: boolean;
  readonly waiting: { readonly each: Waiter<Accepted>[] } | { readonly all: Waiter<Receipt> };
}

export class MemoryQueue implements SubmissionQueue {
  readonly #limits: QueueLimits;
  readonly #clock: Clock;
  readonly #bell = new Wakeup();
  /** In order of arrival; answered ones at the front are dropped now and then. */
  #line: (Pending | undefined)[] = [];
  /** In `#line`: the first item that is not answered, and the first that is not delivered. */
  #oldest = 0;
  #next = 0;
  /** The last item of the line, while it still takes single entries. */
  #joining: Pending | undefined;
  readonly #unanswered = new Map<string, Pending>();
  #entries = 0;
  #bytes = 0;
  #named = 0;
  #closed: SteleError | undefined;
  /** The time of this turn, once it was asked for. */
  #turnMs: number | undefined;
  readonly #endTurn = (): void => {
    this.#turnMs = undefined;
  };

  constructor(options: { readonly limits: QueueLimits; readonly clock: Clock }) {
    this.#limits = options.limits;
    this.#clock = options.clock;
  }

  waiting(): Waiting {
    const oldest = this.#line[this.#oldest];
    const oldestMs = oldest === undefined ? 0 : this.#now() - oldest.arrivedMs;
    return { entries: this.#entries, bytes: this.#bytes, oldestMs };
  }

  /**
   * Submits a batch, to be logged in order; resolves when all of it is published or refused. The bytes are not copied:
   * leave them alone until then.
   *
   * Throws `limit` for an entry above 65,535 bytes, no entries, or more than the queue can ever hold; BusyError when
   * there is no room now. Nothing was submitted then. Throws `aborted` when the queue closes or `signal` aborts: the
   * entries may be logged all the same, and submitting them again has the same answer.
   */
  async submit(entries: readonly Uint8Array[], signal?: AbortSignal): Promise<Receipt> {
    if (entries.length === 0) throw new SteleError('limit', 'a submission has at least one entry');
    const runs = splitEntries(entries);
    const refused = signal?.aborted ? gaveUp() : this.#roomFor(entries.length, bytesOf(entries));
    if (refused) throw refused;
    const receipts = runs.map((run) => new Promise<Receipt>((resolve, reject) => this.#append(run, resolve, reject)));
    return joinReceipts(await unlessAborted(Promise.all(receipts), signal));
  }

  /**
   * Submits one entry: as `submit`, made for hundreds of thousands of calls a second. A refusal is thrown, as
   * `refusalError` has it: one promise an entry is all that this rate leaves room for.
   */
  submitOne(entry: Uint8Array, signal?: AbortSignal): Promise<Accepted> {
    const outcome = new Promise<Accepted>((resolve, reject) => {
      checkEntry(entry, 0);
      const refused = signal?.aborted ? gaveUp() : this.#roomFor(1, entry.length);
      if (refused) throw refused;
      this.#join(entry, { resolve, reject });
    });
    return signal ? unlessAborted(outcome, signal) : outcome;
  }

  async receive(maxBytes: number): Promise<QueueItem[]> {
    this.#bell.hush();
    const items: QueueItem[] = [];
    let bytes = 0;
    for (; this.#next < this.#line.length; this.#next++) {
      const item = this.#line[this.#next];
      // Answered: it was given back by `redeliver`, and then answered after all.
      if (item === undefined || item.answered) continue;
      if (items.length > 0 && bytes + item.bytes > maxBytes) return items;
      items.push({ id: item.id, entries: runOf(item) });
      bytes += item.bytes;
    }
    // The last one is on its way: what comes from now on is another item, with its own answer (DEDUP-5).
    this.#joining = undefined;
    return items;
  }

  /** Resolves when `receive` has something, when the queue closes, or on abort: there is nothing to poll. */
  async wait(signal: AbortSignal): Promise<void> {
    if (this.#next === this.#line.length && !this.#closed) await this.#bell.sleep(signal);
  }

  async answer(answers: readonly Answer[]): Promise<void> {
    answers.forEach(checkAnswer);
    for (const { item, receipt } of answers) {
      const pending = this.#unanswered.get(item.id);
      if (pending) this.#settle(pending, receipt);
    }
    this.#dropAnswered();
  }

  async redeliver(): Promise<void> {
    this.#next = this.#oldest;
    this.#bell.ring();
  }

  /** Everyone who still waits is told `reason`, `aborted` without one; so is everyone who submits from now on. */
  async close(reason?: SteleError): Promise<void> {
    this.#closed ??=
      reason ?? new SteleError('aborted', 'the log was closed before this was published; submit it again');
    for (const { waiting } of this.#unanswered.values()) {
      for (const waiter of 'each' in waiting ? waiting.each : [waiting.all]) waiter.reject(this.#closed);
    }
    this.#unanswered.clear();
    this.#line = [];
    this.#oldest = this.#next = this.#entries = this.#bytes = 0;
    this.#joining = undefined;
    this.#bell.ring();
  }

  /** The time, read once a turn, of which tens of thousands of entries may be part: reading it costs as much as queueing one. */
  #now(): number {
    if (this.#turnMs === undefined) {
      this.#turnMs = this.#clock.now();
      queueMicrotask(this.#endTurn);
    }
    return this.#turnMs;
  }

  /** Why this many more cannot be taken, or undefined. */
  #roomFor(entries: number, bytes: number): SteleError | undefined {
    if (this.#closed) return this.#closed;
    const { maxEntries, maxBytes, maxAgeMs, retryAfterMs } = this.#limits;
    if (entries > maxEntries || bytes > maxBytes) {
      const most = `${maxEntries} entries and ${maxBytes} bytes`;
      return new SteleError('limit', `${entries} entries of ${bytes} bytes are above the ${most} that the queue holds`);
    }
    if (this.#entries + entries > maxEntries || this.#bytes + bytes > maxBytes) {
      const waits = `${this.#entries} entries of ${this.#bytes} bytes`;
      return new BusyError(`${waits} wait to be published already; nothing was submitted`, retryAfterMs);
    }
    if (this.waiting().oldestMs > maxAgeMs) {
      const age = `an entry has waited more than ${maxAgeMs} ms`;
      return new BusyError(`${age} to be published; nothing was submitted. Does the sequencer run?`, retryAfterMs);
    }
    return undefined;
  }

  #append(entries: Uint8Array[], resolve: (receipt: Receipt) => void, reject: (error: SteleError) => void): void {
    this.#joining = undefined;
    this.#enqueue(entries, { all: { resolve, reject } });
  }

  #join(entry: Uint8Array, waiter: Waiter<Accepted>): void {
    const open = this.#joining;
    const fits = open && open.count < JOINED_ENTRIES && open.bytes + entry.length <= JOINED_BYTES;
    if (!fits || !('each' in open.waiting)) {
      this.#joining = this.#enqueue([entry], { each: [waiter] });
      return;
    }
    open.entries.push(entry);
    open.count += 1;
    open.waiting.each.push(waiter);
    open.bytes += entry.length;
    this.#entries += 1;
    this.#bytes += entry.length;
  }

  #enqueue(entries: Uint8Array[], waiting: Pending['waiting']): Pending {
    this.#named += 1;
    const bytes = bytesOf(entries);
    const item: Pending = {
      id: `memory-${this.#named}`,
      entries,
      run: undefined,
      count: entries.length,
      arrivedMs: this.#now(),
      bytes,
      answered: false,
      waiting,
    };
    this.#line.push(item);
    this.#unanswered.set(item.id, item);
    this.#entries += entries.length;
    this.#bytes += bytes;
    this.#bell.ring();
    return item;
  }

  #settle(item: Pending, receipt: Receipt): void {
    item.answered = true;
    this.#unanswered.delete(item.id);
    this.#entries -= item.count;
    this.#bytes -= item.bytes;
    const { waiting } = item;
    if ('all' in waiting) waiting.all.resolve(receipt);
    else
      waiting.each.forEach((waiter, place) => {
        const outcome = receipt.outcomes[place];
        if (outcome === undefined) return;
        if ('index' in outcome) waiter.resolve(outcome);
        else waiter.reject(refusalError(outcome.refused));
      });
  }

  /** Lets go of the answered front of the line; moves the rest only when it is the smaller half. */
  #dropAnswered(): void {
    for (; this.#oldest < this.#line.length && this.#line[this.#oldest]?.answered !== false; this.#oldest++) {
      this.#line[this.#oldest] = undefined;
    }
    this.#next = Math.max(this.#next, this.#oldest);
    if (this.#oldest * 2 < this.#line.length) return;
    this.#line = this.#line.slice(this.#oldest);
    this.#next -= this.#oldest;
    this.#oldest = 0;
  }
}

/** In bundle encoding: the one copy that is made of an entry on its way into the log. */
function runOf(item: Pending): EntryRun {
  item.run ??= encodeRun(item.entries);
  item.entries = [];
  return item.run;
}

function bytesOf(entries: readonly Uint8Array[]): number {
  return entries.reduce((sum, entry) => sum + entry.length, 0);
}

function joinReceipts(receipts: readonly Receipt[]): Receipt {
  const [only, ...others] = receipts;
  if (only && others.length === 0) return only;
  return {
    outcomes: receipts.flatMap((receipt) => receipt.outcomes),
    treeSize: Math.max(...receipts.map((receipt) => receipt.treeSize)),
  };
}

function gaveUp(): SteleError {
  return new SteleError('aborted', 'the caller no longer waits; what it has submitted may be logged all the same');
}

/** The promise, or `aborted` once the signal aborts: the caller stops waiting, the entries stay where they are. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(gaveUp());
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
