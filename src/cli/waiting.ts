/**
 * What became of submitted entries. A receipt is only a hint: that an entry is in the log at an index is believed when
 * the public store's own tiles prove it, under the log's signature.
 */

import type { LogReader } from '../client/index.ts';
import { systemClock } from '../clock.ts';
import { BusyError, isSteleError, SteleError } from '../errors.ts';
import { equalBytes, HASH_SIZE, hashLeaf } from '../merkle/index.ts';
import type { SignedCheckpoint } from '../note/index.ts';
import type { EntryOutcome, Receipt, Submitter } from '../queue/index.ts';

/** An item in the queue, and what is needed to know its entries again. */
export interface Submitted {
  /** As its submitter waits for it. */
  readonly name: string;
  /** Leaf hashes of its entries, packed. */
  readonly leafHashes: Uint8Array;
}

export interface WaitOptions {
  readonly submitter: Submitter;
  /** What proves the receipts; undefined: the receipts are believed. */
  readonly reader: LogReader | undefined;
  /** How long no answer may come, in ms. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What is to be remembered of an item until its answer comes. */
export function submitted(name: string, entries: readonly Uint8Array[]): Submitted {
  const leafHashes = new Uint8Array(HASH_SIZE * entries.length);
  for (const [i, entry] of entries.entries()) leafHashes.set(hashLeaf(entry), HASH_SIZE * i);
  return { name, leafHashes };
}

/**
 * Yields the outcomes of each item's entries, in order, each index verified where there is a reader. Throws `busy` when
 * no answer comes within the time, `invalid-proof` when a receipt names an index where the log has another entry.
 */
export async function* awaitAnswers(
  items: readonly Submitted[],
  options: WaitOptions,
): AsyncGenerator<readonly EntryOutcome[]> {
  const { reader } = options;
  let checkpoint: SignedCheckpoint | undefined;
  for (const [done, item] of items.entries()) {
    const receipt = await receiptOf(item, `${items.length - done} of ${items.length} queue items`, options);
    if (reader !== undefined) {
      if (checkpoint === undefined || checkpoint.size < receipt.treeSize) checkpoint = await reader.checkpoint();
      await verifyReceipt(item, receipt, reader, checkpoint);
    }
    yield receipt.outcomes;
  }
}

async function receiptOf({ name, leafHashes }: Submitted, left: string, options: WaitOptions): Promise<Receipt> {
  const { submitter, timeoutMs, signal } = options;
  let receipt: Receipt;
  try {
    receipt = await submitter.waitForReceipt(name, { timeoutMs, clock: systemClock, signal });
  } catch (error) {
    if (!isSteleError(error, 'busy')) throw error;
    throw new BusyError(
      `no answer for ${left}, which stay in the queue and are answered as soon as anybody sequences this log (\`stele sequence\`): ${error.message}`,
      error instanceof BusyError ? error.retryAfterMs : 0,
    );
  }
  const [first] = receipt.outcomes;
  const count = leafHashes.length / HASH_SIZE;
  if (receipt.outcomes.length === count) return receipt;
  // An item that was set aside as a whole has one refusal for all of its entries.
  if (receipt.outcomes.length === 1 && first !== undefined && 'refused' in first) {
    return { ...receipt, outcomes: Array.from({ length: count }, () => first) };
  }
  throw new SteleError(
    'malformed',
    `the receipt of ${name} has ${receipt.outcomes.length} outcomes for ${count} entries`,
  );
}

async function verifyReceipt(
  { name, leafHashes }: Submitted,
  { outcomes }: Receipt,
  reader: LogReader,
  checkpoint: SignedCheckpoint,
): Promise<void> {
  const places = outcomes
    .flatMap((outcome, place) => ('refused' in outcome ? [] : [{ index: outcome.index, place }]))
    .sort((a, b) => a.index - b.index);
  // Entries that lie side by side are proven together, by the bundles that hold them.
  for (let from = 0; from < places.length; ) {
    const first = places[from]?.index ?? 0;
    let to = from + 1;
    while (to < places.length && (places[to]?.index ?? 0) - (places[to - 1]?.index ?? 0) <= 1) to += 1;
    const last = places[to - 1]?.index ?? first;
    let at = from;
    for await (const { index, entry } of reader.entries(first, last + 1, checkpoint)) {
      const found = hashLeaf(entry);
      for (; at < to && places[at]?.index === index; at++) {
        const start = HASH_SIZE * (places[at]?.place ?? 0);
        if (equalBytes(leafHashes.subarray(start, start + HASH_SIZE), found)) continue;
        throw new SteleError(
          'invalid-proof',
          `the receipt of ${name} says index ${index}, where the log has another entry`,
        );
      }
    }
    from = to;
  }
}
