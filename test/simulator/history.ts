/** The one history: what was committed, told from the journal alone, at the instant each record comes to be. */

import type { BaseLog } from './base-log.ts';
import { baseEntry } from './base-log.ts';
import { type Record, Tree } from './tree.ts';

export class History {
  readonly tree: Tree;
  frozen = false;
  /** Records that were created where the history had gone on: they never count. */
  strays = 0;
  readonly #base: number;
  readonly #entries: string[] = [];
  readonly #latest = new Map<string, number>();
  /** Where each record begins, by where it ends. */
  readonly #starts = new Map<number, number>();
  readonly #roots = new Map<number, string>();
  readonly #dedupWindow: number;

  constructor(base: BaseLog, dedupWindow: number) {
    this.tree = new Tree(base.tree);
    this.#base = base.tree.size;
    this.#dedupWindow = dedupWindow;
    this.#starts.set(this.#base, Math.max(0, this.#base - 1));
    for (let index = Math.max(0, this.#base - dedupWindow); index < this.#base; index++) {
      this.#latest.set(baseEntry(index), index);
    }
  }

  get size(): number {
    return this.tree.size;
  }

  entry = (index: number): string => this.#entries[index - this.#base] ?? baseEntry(index);

  /** Whether the entry is among the latest, where every writer must know it. */
  isRecent(entry: string): boolean {
    const index = this.#latest.get(entry);
    return index !== undefined && this.size - index <= this.#dedupWindow;
  }

  /** Where the record that ends at `size` begins; undefined: no record ends there. */
  startOf(size: number): number | undefined {
    return this.#starts.get(size);
  }

  rootAt(size: number): string {
    let root = this.#roots.get(size);
    if (root === undefined) {
      root = this.tree.root(size).toString('hex');
      this.#roots.set(size, root);
    }
    return root;
  }

  /** A record was created at journal/`key`. What is wrong with that, if anything is. */
  commit(key: number, record: Record): string | undefined {
    const { size } = this;
    if (key !== record.base) return `journal/${key} holds a record of base ${record.base}`;
    if (key < size || (key === size && this.frozen)) {
      this.strays += 1;
      return this.frozen && key === size ? 'a record behind a freeze' : undefined;
    }
    if (key > size) return `a record at ${key} while the history ends at ${size}`;
    if (record.baseRoot.toString('hex') !== this.rootAt(size)) return `the record at ${key} extends another tree`;
    if (record.freeze) {
      this.frozen = true;
      return undefined;
    }
    return this.#append(record);
  }

  #append(record: Record): string | undefined {
    for (const entry of record.entries) {
      const before = this.#latest.get(entry);
      const index = this.size;
      if (before !== undefined && index - before <= this.#dedupWindow) {
        return `${entry} is at ${before}, and committed again at ${index}`;
      }
      this.tree.append(entry);
      this.#entries.push(entry);
      this.#latest.set(entry, index);
    }
    if (record.entries.length === 0) return 'a record without entries that is no freeze';
    if (this.size !== record.end) return `the record at ${record.base} says that it ends at ${record.end}`;
    if (this.rootAt(this.size) !== record.endRoot.toString('hex'))
      return `the record at ${record.base} states a wrong root`;
    this.#starts.set(record.end, record.base);
    return undefined;
  }
}
