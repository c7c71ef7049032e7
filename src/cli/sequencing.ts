/** Opening the writer of a configured log: its stores, its queue, its memory of older entries, and the sequencer. */

import { SUCCESSOR_KEY } from '../client/index.ts';
import { systemClock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import { equalBytes } from '../merkle/index.ts';
import { type SignedCheckpoint, type Successor, signSuccessor } from '../note/index.ts';
import { joinQueues, type SubmissionQueue, type Waiting, WatchedQueue } from '../queue/index.ts';
import { Sequencer, type SequencerEvents } from '../sequencer/index.ts';
import { metaFor } from '../store/index.ts';
import type { LogConfig } from './config.ts';
import { checkDaily, openDedupCache } from './local-cache.ts';
import type { Output } from './output.ts';
import { openQueue } from './queue.ts';
import { openForWriting, sequencerSettings, type WriterOptions } from './writing.ts';

export interface SequencingOptions extends WriterOptions, Pick<SequencerEvents, 'onCommitted' | 'onPublished'> {
  readonly output: Output;
  /** Tries of one storage operation. */
  readonly attempts: number;
  /** Told of what failed and is tried again, beside the operator. */
  readonly onRetry?: (what: string) => void;
  /** Takes submissions from this queue, too. */
  readonly ownQueue?: SubmissionQueue;
}

export interface Sequencing extends AsyncDisposable {
  readonly sequencer: Sequencer;
  /** What it took from its queues and has not published. */
  waiting(): Waiting;
  /** Passes on what was learned, so that the next start need not learn it again. To be called after a run. */
  remember(): Promise<void>;
  /** Publishes the note that names the log that follows, once it is frozen. Throws `conflict` where it names another. */
  nameSuccessor(successor: Pick<Successor, 'verifier' | 'url'>, last: SignedCheckpoint): Promise<void>;
}

/** Opens it. Disposing of it lets go of queue, stores and lock. Throws as `openForWriting` and `Sequencer.open` do. */
export async function openSequencing(config: LogConfig, options: SequencingOptions): Promise<Sequencing> {
  const { output, attempts, onCommitted, onPublished, ownQueue } = options;
  await using opened = new AsyncDisposableStack();
  const log = opened.adopt(await openForWriting(config, options), (stores) => stores.close());
  const outside = await openQueue(config);
  const queue = opened.adopt(ownQueue === undefined ? outside : joinQueues([ownQueue, outside]), (all) => all.close());
  const watched = new WatchedQueue(queue, systemClock);
  const older = opened.adopt(await openDedupCache(config, log.publicStore), (cache) => cache?.close());
  // Beside a service, which is there to learn from what it finds; before a one-shot.
  const checking = older && noteDamage(checkDaily(config, older), output);
  if (Number.isFinite(attempts)) await checking;
  const sequencer = await Sequencer.open({
    ...log,
    queue: watched,
    ...(older && { older }),
    clock: systemClock,
    settings: sequencerSettings(config, attempts),
    ...(onCommitted && { onCommitted }),
    ...(onPublished && { onPublished }),
    onRetry(what, error, attempt) {
      options.onRetry?.(what);
      output.note(`${what} failed (${attempt}), trying again: ${error.message}`);
    },
  });
  const kept = opened.move();
  return {
    sequencer,
    waiting: () => watched.waiting(),
    remember: () =>
      sequencer.remember().catch((error: Error) => output.note(`the dedup cache falls behind: ${error.message}`)),
    async nameSuccessor(successor, { origin, size, root }) {
      const note = await signSuccessor({ ...successor, origin, size, root }, log.signer);
      if (await log.publicStore.create(SUCCESSOR_KEY, note, metaFor(SUCCESSOR_KEY))) return;
      const there = await log.publicStore.get(SUCCESSOR_KEY);
      if (there !== undefined && equalBytes(there.bytes, note)) return;
      throw new SteleError('conflict', `${origin} has named a successor already, and it was another one`);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function noteDamage(checking: Promise<boolean>, output: Output): Promise<void> {
  try {
    if (!(await checking)) output.note('the dedup cache was damaged: it is learned from the log again');
  } catch (error) {
    output.note(`the dedup cache could not be checked: ${error instanceof Error ? error.message : error}`);
  }
}
