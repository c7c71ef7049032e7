/**
 * The second stage: commits prepared batches one after another, and owns every change of the shared state.
 *
 * While one batch is being committed the next may be prepared and flushed on top of it. When the first does not become
 * the record that follows (another writer's does, or the log went on), all that was prepared is taken back: history
 * is adopted, and the entries are tried again behind it, minus what it already contains.
 */

import { FROZEN_REASON, packOutcome, unpackOutcome } from '../queue/index.ts';
import { metaFor, type StagedObject, totalLength } from '../store/index.ts';
import { type Batch, type BatchRecord, gather, prepareBatch } from './batch.ts';
import { type Candidate, type CommitDependencies, commitRecord } from './commit.ts';
import { checkContains, isLogged } from './contains.ts';
import { Deliveries, type Delivery, type Part } from './deliveries.ts';
import { type LoadDependencies, load, replay } from './load.ts';
import type { Shared } from './publisher.ts';
import type { Recall } from './recall.ts';
import { encodeRecord, recordKey } from './record.ts';
import { retrying } from './retry.ts';
import type { SequencerSettings } from './settings.ts';
import { advance, committed, rollback, unpublishedBytes } from './state.ts';

export interface CommitterDependencies extends CommitDependencies, LoadDependencies {
  readonly settings: SequencerSettings;
  readonly recall: Recall;
  /** One record was committed: its entries, and how long it took from its first byte to the authority read, in ms. */
  readonly onCommitted: (event: { entries: number; bytes: number; latencyMs: number }) => void;
  /**
   * The state jumped further than the dedup window reaches: what is published must be answered, and what was delivered
   * besides must be delivered again.
   */
  readonly onWindowLost: () => Promise<void>;
}

/** A batch whose record may be on its way to disk. */
interface InFlight {
  readonly batch: Batch;
  readonly staged: Promise<StagedObject | undefined>;
  readonly since: number;
}

/** Records that may be flushed at a time: one being created, one behind it under a temporary name. */
const MAX_IN_FLIGHT = 2;

export class Committer {
  readonly #deps: CommitterDependencies;
  readonly #shared: Shared;
  readonly #waiting = new Deliveries();
  #inFlight: InFlight[] = [];
  /** Entries are in no list, but on their way from one to the other. */
  #preparing = false;
  /** The log has gone on without us: nothing is prepared or published until it is loaded. */
  #mustReload = false;
  /** When the latest batch that was committed was prepared; one that lost its place to another's is made again at once. */
  #committedAt: number | undefined;
  /** Deliveries that began to be logged before the window was lost, by item: once delivered again, they go on from there. */
  #begun = new Map<string, Delivery>();

  constructor(deps: CommitterDependencies, shared: Shared) {
    this.#deps = deps;
    this.#shared = shared;
  }

  /** Whether enough waits for two full batches: no need to ask the queue for more. */
  get full(): boolean {
    return this.#isEnoughFor(2);
  }

  get idle(): boolean {
    return this.#waiting.entries === 0 && this.#inFlight.length === 0 && !this.#preparing && !this.#mustReload;
  }

  get mustReload(): boolean {
    return this.#mustReload;
  }

  accept(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const begun = this.#begun.get(delivery.item.id);
      this.#begun.delete(delivery.item.id);
      this.#waiting.add(begun === undefined ? delivery : { ...delivery, outcomes: begun.outcomes, next: begun.next });
    }
  }

  /** Whether the limits of what may be committed and unpublished are reached. */
  get stalled(): boolean {
    const { settings, clock } = this.#deps;
    const { state } = this.#shared;
    const entries = state.edge.size - state.published.checkpoint.size;
    const oldest = state.boundaries[0];
    return (
      entries >= settings.maxUnpublishedEntries ||
      unpublishedBytes(state) >= settings.maxUnpublishedBytes ||
      (oldest !== undefined && clock.now() - oldest.seen >= settings.maxUnpublishedAgeMs)
    );
  }

  /** Milliseconds until a batch that is not full may be prepared. */
  dueIn(): number {
    const { settings, clock } = this.#deps;
    if (this.#committedAt === undefined) return 0;
    const elapsed = clock.now() - this.#committedAt;
    const interval = Math.min(settings.commitIntervalMs, settings.publishIntervalMs);
    return elapsed < 0 ? 0 : Math.max(0, interval - elapsed); // a clock that went back puts nothing off (CLOCK-2)
  }

  /**
   * Prepares batches from what waits, as long as there is room: at once when idle, behind another only a full one.
   * `isLast`: nothing more will come to fill one.
   */
  async prepare(isLast: boolean): Promise<void> {
    const { settings, recall } = this.#deps;
    const { state } = this.#shared;
    while (!state.frozen && !this.mustReload && this.#waiting.entries > 0 && !this.stalled) {
      if (this.#inFlight.length >= MAX_IN_FLIGHT) return;
      const isEarly = this.#inFlight.length > 0 || (this.dueIn() > 0 && !isLast);
      if (isEarly && !this.#isEnoughFor(1)) return;
      await retrying(this.#deps, 'passing on what leaves the window', async () => recall.teach(state));
      this.#preparing = true;
      const parts = this.#waiting.take(state.edge.size, settings.maxBatchEntries, settings.maxBatchBytes);
      const batch = await this.#batchOf(parts, this.#deps.random(16));
      this.#inFlight.push({ batch, staged: this.#stage(batch.record), since: this.#deps.clock.now() });
      this.#preparing = false;
    }
  }

  /** Commits the oldest batch in flight, or adopts what stands in its place. False: there was nothing to do. */
  async step(): Promise<boolean> {
    if (this.#mustReload) {
      await this.reload();
      return true;
    }
    const first = this.#inFlight[0];
    if (first === undefined) {
      if (!this.#shared.state.frozen || this.#waiting.entries === 0) return false;
      await this.#refuseAll();
      return true;
    }
    const { record } = first.batch;
    if (record === undefined) {
      this.#finish(first);
      return true;
    }
    const staged = await first.staged;
    const { state } = this.#shared;
    const result = await commitRecord(this.#deps, state, { key: record.key, bytes: record.bytes, staged });
    switch (result.kind) {
      case 'committed':
        advance(state, record.base.size, record.segments, {
          size: record.size,
          root: record.root,
          own: true,
          seen: this.#deps.clock.now(),
        });
        this.#finish(first);
        this.#committedAt = first.since;
        this.#deps.onCommitted({
          entries: record.size - record.base.size,
          bytes: totalLength(record.bytes),
          latencyMs: this.#deps.clock.now() - first.since,
        });
        return true;
      case 'adopted':
        await this.#takeBack();
        this.#adopt(result.record);
        return true;
      case 'late':
        await this.reload();
        return true;
    }
  }

  /**
   * Commits the record that ends the log. Like any other it goes behind what others commit first; it is never compared
   * with what is logged, for it has no entries: one that lost authority is made anew.
   */
  async freeze(): Promise<void> {
    const { logId, random } = this.#deps;
    while (!this.#shared.state.frozen) {
      const { state } = this.#shared;
      const { size, root } = committed(state);
      const tree = { baseSize: size, baseRoot: root, newSize: size, newRoot: root };
      const bytes = encodeRecord({ logId, nonce: random(16), ...tree, freeze: true }, []);
      const candidate: Candidate = { key: recordKey(size), bytes, staged: undefined };
      const result = await commitRecord(this.#deps, state, candidate);
      if (result.kind === 'committed') state.frozen = true;
      else if (result.kind === 'adopted') this.#adopt(result.record);
      else await this.reload();
    }
  }

  /** Publication was overtaken: the next `step` loads, and refuses a log that does not contain what was committed. */
  overtaken(): void {
    this.#mustReload = true;
  }

  /** Loads the log afresh. The oldest batch in flight may turn out to be committed after all; the others go back. */
  async reload(): Promise<void> {
    this.#mustReload = true;
    const first = this.#inFlight[0];
    await this.#takeBack();
    const former = this.#shared.state;
    const record = first?.batch.record;
    const { next, isThere } = await retrying(this.#deps, 'loading the log', async () => {
      const loaded = await load(this.#deps, former.window);
      await checkContains(this.#deps.publicStore, loaded, committed(former));
      await this.#deps.recall.catchUp(loaded);
      return {
        next: loaded,
        isThere: record !== undefined && (await isLogged(this.#deps.publicStore, loaded, record)),
      };
    });
    // Only now: nothing is published, let alone signed, of a log that was not found to be this one.
    this.#shared.state = next;
    this.#mustReload = false;
    if (first !== undefined && isThere) this.#reclaim(first);
    if (next.window === former.window) return;
    // The jump was longer than the window. What waits may be in the log, from the same queue by way of another writer,
    // without our being able to tell: if so it is answered, and does not come again.
    for (const delivery of this.#waiting.clear()) if (delivery.next > 0) this.#begun.set(delivery.item.id, delivery);
    await this.#deps.onWindowLost();
  }

  async #batchOf(parts: readonly Part[], nonce: Uint8Array): Promise<Batch> {
    const { recall, logId } = this.#deps;
    const { state } = this.#shared;
    const gathered = gather(parts);
    for (;;) {
      const older = await retrying(this.#deps, 'looking for older entries', () => recall.find(state, gathered.hashes));
      // While it was confirmed, the window may have let go of entries that were not looked through: those are asked for.
      if (state.window.start > older.covered) continue;
      return prepareBatch(state, parts, gathered, older.indices, { logId, nonce });
    }
  }

  #stage(record: BatchRecord | undefined): Promise<StagedObject | undefined> {
    if (record === undefined) return Promise.resolve(undefined);
    // A failure to flush early is no failure yet: creating the record will tell, and try again.
    return this.#deps.privateStore.stage(record.key, record.bytes, metaFor(record.key)).catch((error: Error) => {
      this.#deps.onRetry(`flushing ${record.key}`, error, 1);
      return undefined;
    });
  }

  #isEnoughFor(batches: number): boolean {
    const { maxBatchEntries, maxBatchBytes } = this.#deps.settings;
    const { entries, bytes } = this.#waiting;
    return entries >= batches * maxBatchEntries || bytes >= batches * maxBatchBytes;
  }

  /** All entries of the batch are in the log: deliveries that end with it wait for publication only. */
  #finish(done: InFlight): void {
    this.#inFlight = this.#inFlight.filter((other) => other !== done);
    const { record } = done.batch;
    if (record !== undefined) this.#shared.counts.appended += record.size - record.base.size;
    for (const { delivery, to } of done.batch.parts) {
      if (to === delivery.item.entries.length) this.#awaitPublication(delivery);
    }
  }

  #awaitPublication(delivery: Delivery): void {
    const { counts } = this.#shared;
    let neededSize = 0;
    for (const packed of delivery.outcomes) {
      const outcome = unpackOutcome(packed);
      if ('refused' in outcome) counts.refused += 1;
      else {
        if (outcome.duplicate) counts.duplicates += 1;
        if (outcome.index >= neededSize) neededSize = outcome.index + 1;
      }
    }
    // Without the bytes of its entries: the segments have them.
    const { id, entries } = delivery.item;
    this.#shared.awaiting.push({
      item: { id, entries: { length: entries.length } },
      outcomes: delivery.outcomes,
      neededSize,
    });
  }

  /** Undoes everything in flight: entries go back to the front of what waits, the state to what is committed. */
  async #takeBack(): Promise<void> {
    const inFlight = this.#inFlight;
    this.#inFlight = [];
    for (const { batch } of inFlight.toReversed()) this.#waiting.giveBack(batch.parts);
    rollback(this.#shared.state);
    for (const { staged } of inFlight) {
      await (await staged)
        ?.discard()
        .catch((error: Error) => this.#deps.onRetry('discarding a staged record', error, 1));
    }
  }

  #adopt(record: Parameters<typeof replay>[1]): void {
    if (record.freeze) this.#shared.state.frozen = true;
    else replay(this.#shared.state, record, this.#deps.clock.now());
  }

  /** What was just taken back is in the log after all, where it was meant to be: its outcomes hold. */
  #reclaim(done: InFlight): void {
    for (const { delivery, from, to } of done.batch.parts) {
      if (this.#waiting.first !== delivery || delivery.next !== from) {
        throw new Error('entries that were taken back are not at the front of what waits');
      }
      this.#waiting.advanceFirst(to);
    }
    this.#finish(done);
  }

  /** The log is frozen: what it contains is answered as a duplicate, all else is refused. */
  async #refuseAll(): Promise<void> {
    const { state } = this.#shared;
    const { size } = committed(state);
    for (let delivery = this.#waiting.first; delivery !== undefined; delivery = this.#waiting.first) {
      const parts = [{ delivery, from: delivery.next, to: delivery.item.entries.length }];
      const { record } = await this.#batchOf(parts, new Uint8Array(16));
      if (record !== undefined) rollback(state);
      delivery.outcomes.forEach((packed, k) => {
        const outcome = unpackOutcome(packed);
        if ('index' in outcome && outcome.index >= size) delivery.outcomes[k] = packOutcome({ refused: FROZEN_REASON });
      });
      this.#waiting.advanceFirst(delivery.item.entries.length);
      this.#awaitPublication(delivery);
    }
  }
}
