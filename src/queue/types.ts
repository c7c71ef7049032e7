/** What a sequencer and those who submit know of a queue (DESIGN §5, "Queue items"). */

import type { Clock } from '../clock.ts';
import type { EntryRun } from '../tiles/index.ts';

/** One submitted batch: at most 65,536 entries and 16 MiB encoded. */
export interface QueueItem {
  /** SHA-256 of the item's bytes, lower-case hex; in-process items have a name of their own. */
  readonly id: string;
  /** 1 to 65,536 entries, each 0 to 65,535 bytes, in order; whoever has the item leaves their bytes alone. */
  readonly entries: EntryRun;
}

/** An entry that is in the published log: its index, for a duplicate the first one. */
export interface Accepted {
  readonly index: number;
  readonly duplicate: boolean;
}

/** What became of one entry. */
export type EntryOutcome = Accepted | { readonly refused: string };

/** The answer to an item, left behind when it leaves the queue. */
export interface Receipt {
  /**
   * One outcome per entry, in order. An item that could not even be read is refused as a whole: a single refusal, whatever
   * the number of its entries.
   */
  readonly outcomes: readonly EntryOutcome[];
  /** Size of a published tree that contains every index above. */
  readonly treeSize: number;
}

/** What is to be known of an item when it is answered: its bytes may be forgotten as soon as they are in the log. */
export interface LoggedItem {
  readonly id: string;
  readonly entries: { readonly length: number };
}

export interface Answer {
  readonly item: LoggedItem;
  readonly receipt: Receipt;
}

/**
 * Where the sequencer takes submissions from. An item is delivered until it is answered: after a crash it comes
 * again. Methods are called by one sequencer at a time; `receive` never overlaps itself.
 */
export interface SubmissionQueue {
  /**
   * Items not yet delivered to this process, oldest first, at most about `maxBytes` of them (one item at least when
   * there is any). Empty: nothing waits now. Malformed items are set aside by the queue, never returned.
   */
  receive(maxBytes: number): Promise<QueueItem[]>;
  /** Resolves when `receive` may have something, at the latest after the queue's poll interval; or on abort. */
  wait(signal: AbortSignal): Promise<void>;
  /** All of each item is published (or refused): leave the receipts, drop the items. Durable on return. */
  answer(answers: readonly Answer[]): Promise<void>;
  /** Forget what was delivered but not answered: `receive` will return it again. */
  redeliver(): Promise<void>;
  close(): Promise<void>;
}

/** What was submitted through one process and is not answered yet. */
export interface Waiting {
  readonly entries: number;
  readonly bytes: number;
  /** How long the oldest of them has waited, in milliseconds; 0 when nothing waits. */
  readonly oldestMs: number;
}

export interface ReceiptWait {
  /** How long, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Whoever submits, from outside of the sequencer's process: the same for every kind of queue. */
export interface Submitter {
  /**
   * Puts the entries into the queue, as one item or, beyond the limits of an item, as several in order. Durable on
   * return; items are taken in the order of the calls. Gives a name for each item, to wait for its receipt.
   *
   * Throws `limit` before anything is written for an entry above 65,535 bytes, `config` and `unreachable` when nothing
   * was submitted, `outcome-unknown` when some of it may have been: submit all of it again, equal entries have one place
   * in the log.
   */
  submit(entries: readonly Uint8Array[]): Promise<string[]>;
  /** The receipt. Throws BusyError when there is none in time, `aborted` on abort; the item stays in the queue. */
  waitForReceipt(name: string, options: ReceiptWait): Promise<Receipt>;
  close(): Promise<void>;
}
