/**
 * The writer of a log: takes submissions from a queue, commits them, publishes them, answers them.
 *
 * Three stages overlap (DESIGN §8): receiving and preparing the next batch, committing the one before, publishing what
 * was committed. The sequencer is deterministic: store, queue, clock and randomness are handed in, nothing else is asked.
 */

import type { Clock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import type { SignedCheckpoint, Signer, Verifier } from '../note/index.ts';
import type { SubmissionQueue } from '../queue/index.ts';
import type { ObjectStore } from '../store/index.ts';
import { Committer } from './committer.ts';
import { delivery } from './deliveries.ts';
import { idBytes, readSharedDescription } from './description.ts';
import { load } from './load.ts';
import type { OlderEntries } from './older-entries.ts';
import type { Cosign } from './publish.ts';
import { type Publication, Publisher, type Shared } from './publisher.ts';
import { Recall } from './recall.ts';
import { type RetryDependencies, retrying } from './retry.ts';
import { checkSettings, type SequencerSettings } from './settings.ts';
import type { LogState } from './state.ts';
import { Wakeup } from './wakeup.ts';

/** What a sequencer tells while it runs. Every handler returns at once. */
export interface SequencerEvents {
  readonly onCommitted?: (event: { entries: number; bytes: number; latencyMs: number }) => void;
  readonly onPublished?: (event: Publication) => void;
  /** Something failed and is tried again. */
  readonly onRetry?: (what: string, error: Error, attempt: number) => void;
}

export interface SequencerDependencies extends SequencerEvents {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly queue: SubmissionQueue;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  readonly settings: SequencerSettings;
  readonly cosign?: Cosign;
  /** What lies before the dedup window; without it, submitting that again logs it again. */
  readonly older?: OlderEntries;
}

/** What a run did. */
export interface RunReport {
  /** Size of the published tree. */
  readonly size: number;
  /** Entries that this run committed. */
  readonly appended: number;
  /** Submitted entries that the log had already. */
  readonly duplicates: number;
  readonly refused: number;
}

export class Sequencer {
  readonly #deps: SequencerDependencies;
  readonly #shared: Shared;
  readonly #recall: Recall;
  readonly #committer: Committer;
  readonly #publisher: Publisher;
  /** Aborted on a fatal error: every loop ends where it stands. */
  readonly #halt = new AbortController();
  readonly #work = new Wakeup();
  /** The stages run: they share one state, so they run once at a time. */
  #staged = false;
  readonly #retry: RetryDependencies;
  /** What was delivered was given back to the queue, which was not asked since. */
  #redelivers = false;

  /**
   * Loads the log (DESIGN §5, "Load"). Throws `refused` where the stores do not belong together, `config` where there
   * is no log or the key is not its key.
   */
  static async open(deps: SequencerDependencies): Promise<Sequencer> {
    checkSettings(deps.settings);
    const description = await readSharedDescription(deps.publicStore, deps.privateStore);
    if (description.origin !== deps.signer.name) {
      throw new SteleError(
        'config',
        `the key signs for ${deps.signer.name}, the log in ${deps.publicStore.url} is ${description.origin}`,
      );
    }
    const logId = idBytes(description);
    const state = await load({ ...deps, logId, dedupWindow: deps.settings.dedupWindow });
    const recall = new Recall(deps.older, deps.publicStore, (error) =>
      deps.onRetry?.('asking the dedup cache', error, 1),
    );
    await recall.catchUp(state);
    return new Sequencer(deps, logId, state, recall);
  }

  private constructor(deps: SequencerDependencies, logId: Uint8Array, state: LogState, recall: Recall) {
    this.#deps = deps;
    this.#recall = recall;
    this.#shared = { state, awaiting: [], counts: { appended: 0, duplicates: 0, refused: 0 } };
    const { maxAttempts, dedupWindow } = deps.settings;
    const common = {
      ...deps,
      logId,
      dedupWindow,
      maxAttempts,
      signal: this.#halt.signal,
      onRetry: deps.onRetry ?? (() => {}),
    };
    this.#retry = common;
    this.#committer = new Committer(
      {
        ...common,
        recall,
        onCommitted: deps.onCommitted ?? (() => {}),
        onWindowLost: async () => {
          this.#publisher.settle();
          await this.#publisher.answered();
          this.#redelivers = true;
          await deps.queue.redeliver();
        },
      },
      this.#shared,
    );
    this.#publisher = new Publisher(
      {
        ...common,
        cosign: deps.cosign,
        onPublished: deps.onPublished ?? (() => {}),
        onFailed: (error) => this.#fail(error),
      },
      this.#shared,
    );
  }

  get published(): SignedCheckpoint {
    return this.#shared.state.published.checkpoint;
  }

  /**
   * Runs until `signal`, then drains: what the queue has delivered is committed, published and answered; `queued`: what
   * it still holds, too, because it dies with this process. Throws `aborted` where that takes longer than the drain
   * deadline; nothing acknowledged is lost by it.
   */
  async run(signal: AbortSignal, drains: 'delivered' | 'queued' = 'delivered'): Promise<RunReport> {
    const stop = AbortSignal.any([signal, this.#halt.signal]);
    const finished = new AbortController();
    const deadline = async (): Promise<void> => {
      const { clock, settings } = this.#deps;
      await clock.sleep(settings.drainDeadlineMs, finished.signal);
      if (!finished.signal.aborted) this.#fail(new SteleError('aborted', 'the queue could not be drained in time'));
    };
    const startDeadline = (): void => void deadline();
    if (signal.aborted) startDeadline();
    else signal.addEventListener('abort', startDeadline, { once: true });
    try {
      return await this.#stages(async () => {
        while (!stop.aborted) if ((await this.#receive()) === 0) await this.#deps.queue.wait(stop);
        if (drains === 'queued') while (!this.#halt.signal.aborted && (await this.#receive()) > 0);
      }, stop);
    } finally {
      signal.removeEventListener('abort', startDeadline);
      finished.abort();
    }
  }

  /** One shot, for cron: until the queue has nothing more, and everything is published and answered. */
  drain(): Promise<RunReport> {
    const stop = this.#halt.signal;
    return this.#stages(async () => {
      while (!stop.aborted && (await this.#receive()) > 0);
    }, stop);
  }

  /** Passes on to the older entries what the window alone knows: the next start then reads none of it. */
  remember(): Promise<void> {
    return this.#recall.teachAll(this.#shared.state);
  }

  /** Ends this log for ever (DESIGN §5, "Freeze"): drains, commits the freeze record, publishes. */
  async freeze(): Promise<SignedCheckpoint> {
    await this.drain();
    await this.#committer.freeze();
    await this.drain(); // what another writer committed before the freeze, and who still waits
    return this.published;
  }

  /** Runs the three stages until `intake` is done and nothing is left, or one of them fails. `stop` ends the intake. */
  async #stages(intake: () => Promise<void>, stop: AbortSignal): Promise<RunReport> {
    if (this.#staged)
      throw new SteleError('busy', 'this sequencer is running already: one run, drain or freeze at a time');
    this.#staged = true;
    let open = true;
    let publishing = true;
    const wake = (): void => this.#work.wake();
    const guard = async (stage: () => Promise<void>): Promise<void> => {
      try {
        await stage();
      } catch (error) {
        this.#fail(error); // the first error is the one that tells
      }
      wake();
    };
    stop.addEventListener('abort', wake);
    await Promise.all([
      guard(() => intake().finally(() => (open = false))),
      guard(() =>
        this.#commitLoop(
          () => publishing,
          () => open,
        ),
      ),
      guard(() => this.#publishLoop(() => open).finally(() => (publishing = false))),
    ]);
    stop.removeEventListener('abort', wake);
    this.#staged = false;
    if (this.#halt.signal.aborted) throw this.#halt.signal.reason;
    if (this.#redelivers) return this.drain(); // after the intake was done
    return { size: this.published.size, ...this.#shared.counts };
  }

  #fail(error: unknown): void {
    this.#halt.abort(error);
    this.#work.wake();
  }

  /** Asks the queue once there is room; resolves to the number of items that came. */
  async #receive(): Promise<number> {
    const { queue, settings } = this.#deps;
    while (this.#committer.full && !this.#halt.signal.aborted) await this.#work.wait(this.#work.news);
    this.#redelivers = false;
    const items = await retrying(this.#retry, 'receiving from the queue', () => queue.receive(settings.maxBatchBytes));
    if (items.length === 0) return 0;
    this.#committer.accept(items.map(delivery));
    this.#work.wake();
    return items.length;
  }

  /** Lasts as long as the other: a publication may yet find that the log must be loaded again. */
  async #commitLoop(publishing: () => boolean, open: () => boolean): Promise<void> {
    while (publishing() && !this.#halt.signal.aborted) {
      const seen = this.#work.news;
      // Before it is asked whether it is time: what is due in between must not be slept through.
      const due = this.#committer.dueIn();
      await this.#committer.prepare(!open());
      if (await this.#committer.step()) this.#work.wake();
      else await this.#workOr(seen, due || undefined);
    }
  }

  async #publishLoop(open: () => boolean): Promise<void> {
    while (!this.#halt.signal.aborted) {
      const seen = this.#work.news;
      this.#publisher.settle();
      const due = this.#committer.mustReload ? undefined : this.#publisher.dueIn();
      if (due === 0) {
        if (!(await this.#publisher.publish())) this.#committer.overtaken();
        this.#work.wake();
      } else if (this.#committer.idle && !open() && !this.#unpublished()) {
        break;
      } else {
        await this.#workOr(seen, due);
      }
    }
    await this.#publisher.answered();
  }

  #unpublished(): boolean {
    return this.#shared.state.boundaries.length > 0;
  }

  /** Sleeps until there is later news than `seen`, or for `ms`. */
  async #workOr(seen: number, ms: number | undefined): Promise<void> {
    if (ms === undefined) return this.#work.wait(seen);
    const done = new AbortController();
    await Promise.race([this.#work.wait(seen), this.#deps.clock.sleep(ms, done.signal)]);
    done.abort();
  }
}
