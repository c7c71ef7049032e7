/** Waiting for a receipt, wherever it will appear. */

import { BusyError, SteleError } from '../errors.ts';
import type { Receipt, ReceiptWait } from './types.ts';
import { Wakeup } from './wakeup.ts';

export interface ReceiptPlace {
  /** What is waited for, for messages. */
  readonly what: string;
  look(): Promise<Receipt | undefined>;
  /** Milliseconds until the next look, after this many of them; news ends the pause. */
  pauseMs(looks: number): number;
  /** Begins to listen for news; the result ends that. */
  listen?(ring: () => void): () => void;
  /** What has kept the looks from succeeding, for the error of a wait that was in vain. */
  trouble?(): Error | undefined;
}

/**
 * Looks until there is a receipt. Throws BusyError when there is none after the time, `aborted` when the signal aborts;
 * what was submitted stays in the queue either way.
 */
export async function waitUntilAnswered(place: ReceiptPlace, options: ReceiptWait): Promise<Receipt> {
  const { timeoutMs, clock, signal } = options;
  const bell = new Wakeup();
  const over = new AbortController();
  let expired = false;
  clock.sleep(timeoutMs, over.signal).then(() => {
    expired = true;
    bell.ring();
  });
  const stopListening = place.listen?.(() => bell.ring());
  try {
    for (let looks = 1; ; looks++) {
      bell.hush();
      const receipt = await place.look();
      if (receipt) return receipt;
      if (signal.aborted) throw new SteleError('aborted', `gave up waiting for ${place.what}; it stays in the queue`);
      if (expired) throw notAnswered(place, timeoutMs, place.pauseMs(looks));
      await bell.sleep(signal, (stop) => clock.sleep(place.pauseMs(looks), stop));
    }
  } finally {
    over.abort();
    stopListening?.();
  }
}

function notAnswered(place: ReceiptPlace, timeoutMs: number, retryAfterMs: number): BusyError {
  const trouble = place.trouble?.();
  const why =
    trouble === undefined ? 'Does a sequencer run?' : `The last look for its receipt failed: ${trouble.message}`;
  return new BusyError(
    `${place.what} was not published within ${timeoutMs} ms; it stays in the queue. ${why}`,
    retryAfterMs,
  );
}
