/** Following a log as it grows. */

import type { Clock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import type { SignedCheckpoint } from '../note/index.ts';

/** Two checkpoints in a row; the second is verified to extend the first. */
export interface Followed {
  readonly checkpoint: SignedCheckpoint;
  /** The one yielded before, or handed in; undefined for the first of all, which extends nothing that we know. */
  readonly previous: SignedCheckpoint | undefined;
}

export interface FollowOptions {
  /** The wait between two looks at the checkpoint, in milliseconds. */
  readonly intervalMs: number;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /**
   * Called when the log stays unreachable after all retries; the next look follows after `intervalMs`. Without it such
   * an error ends the iteration.
   */
  readonly onUnreachable?: (error: SteleError) => void;
}

/** What it takes of a LogReader. */
interface Source {
  checkpoint(): Promise<SignedCheckpoint>;
  verifyConsistencyWith(known: SignedCheckpoint, found: SignedCheckpoint): Promise<SignedCheckpoint>;
}

/** See `LogReader.follow`. */
export async function* follow(
  source: Source,
  clock: Clock,
  known: SignedCheckpoint | undefined,
  { intervalMs, signal, onUnreachable }: FollowOptions,
): AsyncGenerator<Followed, void> {
  let last = known;
  while (!signal?.aborted) {
    const next = await look(source, last, onUnreachable);
    if (signal?.aborted) return;
    if (next && (last === undefined || next.size > last.size)) {
      const previous = last;
      last = next;
      yield { checkpoint: next, previous };
    }
    await clock.sleep(intervalMs, signal);
  }
}

/** The larger of `last` and what is served now; undefined when the log cannot be reached and the caller bears it. */
async function look(
  source: Source,
  last: SignedCheckpoint | undefined,
  onUnreachable: FollowOptions['onUnreachable'],
): Promise<SignedCheckpoint | undefined> {
  try {
    const found = await source.checkpoint();
    return last ? await source.verifyConsistencyWith(last, found) : found;
  } catch (error) {
    if (onUnreachable && error instanceof SteleError && error.code === 'unreachable') {
      onUnreachable(error);
      return undefined;
    }
    throw error;
  }
}
