/**
 * The oracle (O1–O8 of the test catalogue), at every instant at which something is written, signed or answered. It
 * knows the stores and what was submitted, and shares no code with the writer.
 */

import type { Signer } from '../../src/note/index.ts';
import type { Receipt } from '../../src/queue/index.ts';
import type { BaseLog } from './base-log.ts';
import type { DiskObserver } from './disk.ts';
import { History } from './history.ts';
import { expectedObjects, journalKey, readRecord, readTree } from './tree.ts';

export class Oracle {
  readonly history: History;
  /** The public and the private store tell it what is done to them. */
  readonly publicObserver: DiskObserver;
  readonly privateObserver: DiskObserver;
  published: number;
  readonly counts = { signed: 0, publications: 0, answered: 0 };
  readonly #violation: (text: string) => void;
  /** Every immutable object there ever was. */
  readonly #contents = new Map<string, Uint8Array>();
  readonly #told = new Map<string, number>();
  readonly #refused = new Set<string>();
  readonly #dedupWindow: number;
  readonly #base: BaseLog;
  readonly #publicObjects: () => ReadonlyMap<string, Uint8Array>;

  constructor(
    base: BaseLog,
    dedupWindow: number,
    publicObjects: () => ReadonlyMap<string, Uint8Array>,
    violation: (text: string) => void,
  ) {
    this.history = new History(base, dedupWindow);
    this.published = base.tree.size;
    this.#base = base;
    this.#dedupWindow = dedupWindow;
    this.#publicObjects = publicObjects;
    this.#violation = violation;
    this.publicObserver = {
      onRead: (key, found) => {
        if (!found && key.startsWith('tile/')) violation(`O6: ${key} was asked for and is not there`);
      },
      onCreate: (key, bytes) => this.#onImmutable(key, bytes),
      onReplace: (_, bytes) => this.#onCheckpoint(bytes),
      onDelete: (key) => violation(`O6: ${key} was deleted`),
    };
    this.privateObserver = {
      onRead: () => {},
      onCreate: (key, bytes) => {
        const wrong = this.history.commit(Number(key.slice('journal/'.length)), readRecord(bytes));
        if (wrong !== undefined) violation(`the one history: ${wrong}`);
      },
      onReplace: (key) => violation(`O3: ${key} was replaced`),
      onDelete: (key) => this.#onCollect(key),
    };
  }

  /** A signer that is watched: whatever it signs is for ever (O4). */
  spyOn(signer: Signer): Signer {
    return {
      ...signer,
      sign: (text) => {
        this.#isOfTheHistory('O4: signed', text);
        this.counts.signed += 1;
        return signer.sign(text);
      },
    };
  }

  /** The sequencer answers an item (O2, PUB-6). */
  onAnswer(entries: readonly string[], { outcomes, treeSize }: Receipt): void {
    if (outcomes.length !== entries.length)
      this.#violation(`O2: ${outcomes.length} outcomes, ${entries.length} entries`);
    if (treeSize > this.published) this.#violation(`O2: told of size ${treeSize}, published is ${this.published}`);
    this.counts.answered += entries.length;
    let fresh = -1;
    for (const [place, entry] of entries.entries()) {
      const outcome = outcomes[place];
      if (outcome === undefined) continue;
      if ('refused' in outcome) {
        this.#onRefused(entry, outcome.refused);
        continue;
      }
      this.#onTold(entry, outcome.index, treeSize);
      if (outcome.duplicate) continue;
      if (outcome.index <= fresh) this.#violation(`order: ${entry} is at ${outcome.index}, one before it at ${fresh}`);
      fresh = outcome.index;
    }
  }

  /** The operator put an older public store back, with all writers stopped. */
  onRestored(): void {
    this.published = readTree(this.#publicObjects().get('checkpoint') ?? new Uint8Array()).size;
  }

  /** After everything came to rest, with a writer that has loaded the log and published. */
  atTheEnd(privateKeys: Iterable<string>): void {
    const { history, published } = this;
    if (published !== history.size)
      this.#violation(`O5: committed are ${history.size}, published ${published} at the end`);
    this.#checkObjects(Math.min(published, this.#base.tree.size > 0 ? this.#base.tree.size - 1 : 0), published);
    for (const entry of this.#refused) {
      if (history.isRecent(entry)) this.#violation(`${entry} was refused and is in the log`);
    }
    const last = journalKey(history.startOf(published) ?? -1);
    const keys = [...privateKeys];
    if (published > 0 && !keys.includes(last)) this.#violation(`O8: ${last} is gone, which ends at the published size`);
    const beyond = keys.find((key) => key.startsWith('journal/') && key > last && published > 0);
    if (beyond !== undefined && !(history.frozen && beyond === journalKey(published))) {
      this.#violation(`O8: ${beyond} lies beyond what is published at the end`);
    }
  }

  #onTold(entry: string, index: number, treeSize: number): void {
    if (index >= treeSize) this.#violation(`O2: ${entry} was told ${index} before it was published`);
    else if (this.history.entry(index) !== entry) {
      this.#violation(`O2: ${entry} was told ${index}, where ${this.history.entry(index)} is`);
    }
    const before = this.#told.get(entry);
    if (before !== undefined && before !== index && Math.abs(index - before) <= this.#dedupWindow) {
      this.#violation(`O2: ${entry} was told ${before} and ${index}`);
    }
    this.#told.set(entry, index);
  }

  #onRefused(entry: string, why: string): void {
    if (!this.history.frozen) this.#violation(`${entry} was refused, and the log is not frozen: ${why}`);
    if (this.history.isRecent(entry)) this.#violation(`${entry} was refused and is in the log`);
    this.#refused.add(entry);
  }

  #onImmutable(key: string, bytes: Uint8Array): void {
    const before = this.#contents.get(key);
    if (before !== undefined && Buffer.compare(before, bytes) !== 0) this.#violation(`O3: ${key} had two contents`);
    this.#contents.set(key, bytes);
  }

  #onCheckpoint(bytes: Uint8Array): void {
    this.counts.publications += 1;
    const size = this.#isOfTheHistory('O1: published', bytes);
    if (size < this.published) this.#violation(`O5: the published size went from ${this.published} to ${size}`);
    this.#checkObjects(this.published, size);
    this.published = size;
  }

  /** The size, of a checkpoint that must be of the history, where a record ends. */
  #isOfTheHistory(what: string, checkpoint: Uint8Array): number {
    const { size, root } = readTree(checkpoint);
    const { history } = this;
    if (history.startOf(size) === undefined) this.#violation(`${what}: size ${size}, where no record ends`);
    else if (history.rootAt(size) !== root)
      this.#violation(`${what}: size ${size} with another root than the history's`);
    return size;
  }

  /** PUB-1: every byte that a checkpoint needs is there before it is. */
  #checkObjects(from: number, to: number): void {
    const objects = this.#publicObjects();
    if (to > this.history.size) return;
    for (const { key, bytes } of expectedObjects(this.history.tree, this.history.entry, from, to)) {
      const found = objects.get(key);
      if (found === undefined) this.#violation(`O1: ${key} is missing at size ${to}`);
      else if (Buffer.compare(found, bytes) !== 0) this.#violation(`O1: ${key} is wrong at size ${to}`);
    }
  }

  /** Collected is only what ends below the published size. */
  #onCollect(key: string): void {
    const last = this.history.startOf(this.published);
    if (last === undefined || key >= journalKey(last)) {
      this.#violation(`O6: ${key} was deleted at published size ${this.published}, whose last record is at ${last}`);
    }
  }
}
