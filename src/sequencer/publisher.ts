/**
 * The third stage: publishes what is committed at the log's cadence, then answers the queue and collects the journal.
 *
 * Acknowledged means published (DESIGN §5): a delivery is answered only when the checkpoint that covers it stands.
 */

import type { SignedCheckpoint } from '../note/index.ts';
import { type Answer, type LoggedItem, type SubmissionQueue, unpackOutcomes } from '../queue/index.ts';
import { TILE_WIDTH } from '../tiles/index.ts';
import { type PublishDependencies, publish, takeOver } from './publish.ts';
import { recordKey } from './record.ts';
import { retrying } from './retry.ts';
import type { SequencerSettings } from './settings.ts';
import { committed, type LogState } from './state.ts';

/** A delivery of which every entry is committed (or refused), and the published size that it can be answered at. */
export interface Awaiting {
  readonly item: LoggedItem;
  /** Packed. */
  readonly outcomes: Float64Array;
  readonly neededSize: number;
}

/** What the stages of one sequencer share. `state` is replaced by a reload. */
export interface Shared {
  state: LogState;
  readonly counts: { appended: number; duplicates: number; refused: number };
  awaiting: Awaiting[];
}

export interface PublisherDependencies extends PublishDependencies {
  readonly queue: SubmissionQueue;
  readonly settings: SequencerSettings;
  readonly onPublished: (event: Publication) => void;
  /** The queue could not be answered: nobody who waits will hear of anything again. */
  readonly onFailed: (error: unknown) => void;
}

/** One publication, for logs and metrics. */
export interface Publication {
  readonly checkpoint: SignedCheckpoint;
  /** Tiles and bundles written for it. */
  readonly objects: number;
  readonly bytes: number;
  /** From the first sight of the oldest record it published, in ms; 0 for a refresh. */
  readonly latencyMs: number;
}

/** See `isWorthwhile`: 64 full tiles and their bundles. */
const WORTHWHILE_ENTRIES = 64 * TILE_WIDTH;

export class Publisher {
  readonly #deps: PublisherDependencies;
  readonly #shared: Shared;
  /** When this writer last published; the first publication waits for nothing. */
  #publishedAt: number | undefined;
  /** Answers and collections, one after another behind the publications. */
  #answers: Promise<void> = Promise.resolve();

  constructor(deps: PublisherDependencies, shared: Shared) {
    this.#deps = deps;
    this.#shared = shared;
  }

  /** Milliseconds until something is to be published; undefined: nothing is, until something is committed. */
  dueIn(): number | undefined {
    const { settings, clock } = this.#deps;
    const { published, boundaries } = this.#shared.state;
    const left = (since: number, ms: number): number => {
      const elapsed = clock.now() - since;
      return elapsed < 0 ? 0 : Math.max(0, ms - elapsed); // a clock that went back puts nothing off (CLOCK-2)
    };
    const last = boundaries.at(-1);
    if (last?.own) {
      const entries = last.size - published.checkpoint.size;
      if (this.#publishedAt === undefined || this.#isWorthwhile(entries)) return 0;
      return left(this.#publishedAt, settings.publishIntervalMs);
    }
    // The author of the last record publishes it; we take over when nobody did.
    if (last !== undefined) return left(last.seen, 2 * settings.publishIntervalMs);
    return settings.republishMs > 0 ? left(published.at, settings.republishMs) : undefined;
  }

  /**
   * Whether a publication of so many entries waits for nothing: its checkpoint and partial tiles cost little beside them,
   * and a log that is busy would stand still until the interval is over. Witnesses count checkpoints, not entries.
   */
  #isWorthwhile(entries: number): boolean {
    return this.#deps.cosign === undefined && entries >= WORTHWHILE_ENTRIES;
  }

  /** Publishes the committed tree. False: the log went past it, and must be loaded and found to contain it. */
  async publish(): Promise<boolean> {
    const { state } = this.#shared;
    const target = committed(state);
    const oldest = state.boundaries[0]?.seen;
    const began = this.#deps.clock.now(); // the cadence is from beginning to beginning
    const isAnothers = state.boundaries.at(-1)?.own === false;
    const result = await (isAnothers ? takeOver : publish)(this.#deps, state, target);
    // A state that was replaced meanwhile has been found to contain it already.
    if (result.kind === 'overtaken') return state !== this.#shared.state;
    if (result.kind === 'found') return true;
    this.#publishedAt = began;
    const latencyMs = oldest === undefined ? 0 : this.#deps.clock.now() - oldest;
    const { checkpoint } = state.published;
    this.#deps.onPublished({ checkpoint, objects: result.objects, bytes: result.bytes, latencyMs });
    return true;
  }

  /** Answers every delivery that the published checkpoint covers, and collects; behind what is answered already. */
  settle(): void {
    const { size } = this.#shared.state.published.checkpoint;
    const answers: Answer[] = [];
    const still: Awaiting[] = [];
    for (const delivery of this.#shared.awaiting) {
      if (delivery.neededSize > size) still.push(delivery);
      else
        answers.push({ item: delivery.item, receipt: { outcomes: unpackOutcomes(delivery.outcomes), treeSize: size } });
    }
    this.#shared.awaiting = still;
    const obsolete = this.#obsoleteRecords(size);
    if (answers.length === 0 && obsolete.length === 0) return;
    this.#answers = this.#answers.then(async () => {
      if (answers.length > 0) await retrying(this.#deps, 'answering the queue', () => this.#deps.queue.answer(answers));
      await this.#collect(obsolete);
    });
    this.#answers.catch(this.#deps.onFailed);
  }

  /** Resolves when everything settled so far is answered; rejects when one of it could not be. */
  answered(): Promise<void> {
    return this.#answers;
  }

  /** Records that end below the published size. The one that ends at it stays: Load asks for it. */
  #obsoleteRecords(size: number): number[] {
    const { state } = this.#shared;
    const last = state.journal.findLast((base) => base < size);
    if (last === undefined) return [];
    const obsolete = state.journal.filter((base) => base < last);
    state.journal = state.journal.filter((base) => base >= last);
    return obsolete;
  }

  /** Oldest first, so that what is left is always the end of the journal. One that fails is swept after a restart. */
  async #collect(bases: readonly number[]): Promise<void> {
    for (const base of bases) {
      try {
        await this.#deps.privateStore.delete(recordKey(base));
      } catch (error) {
        this.#deps.onRetry(
          `collecting ${recordKey(base)}`,
          error instanceof Error ? error : new Error(String(error)),
          1,
        );
        return;
      }
    }
  }
}
