/** Reading ahead, in order. */

/** Bytes of bundles that may be in flight at a time; with bundles of 16 MiB that is four. */
const READ_AHEAD_BYTES = 2 ** 26;

/** Reads in flight before the first answer says how long bundles are. */
const FIRST_READS = 4;

/**
 * Yields `read(item)` for each item, in order, with up to `depth()` reads under way. Leaving the loop early, or a read
 * that fails, starts no further reads; those under way are let go.
 */
export async function* readAhead<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  depth: () => number,
  read: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const underWay: Promise<Result>[] = [];
  let atEnd = false;
  for (;;) {
    while (!atEnd && underWay.length < depth()) {
      const next = await iterator.next();
      if (next.done) {
        atEnd = true;
      } else {
        const reading = read(next.value);
        // Its error is thrown when its turn comes, which may be never.
        reading.catch(() => {});
        underWay.push(reading);
      }
    }
    const first = underWay.shift();
    if (!first) return;
    yield await first;
  }
}

/** How far to read ahead: `most` reads, fewer where bundles are so long that these would take more than 64 MiB. */
export class ReadAheadDepth {
  readonly #most: number;
  #longest = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** To be called with the length of each bundle, in bytes. */
  seen(bytes: number): void {
    this.#longest = Math.max(this.#longest, bytes);
  }

  get reads(): number {
    const affordable = this.#longest === 0 ? FIRST_READS : Math.floor(READ_AHEAD_BYTES / this.#longest);
    return Math.max(1, Math.min(this.#most, affordable));
  }
}
