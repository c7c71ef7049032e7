/** Items on their way into batches: in order, cut where a batch is full, and given back where one did not come about. */

import type { QueueItem } from '../queue/index.ts';
import { TILE_WIDTH } from '../tiles/index.ts';

/** An item on its way through the sequencer. */
export interface Delivery {
  readonly item: QueueItem;
  /** Packed; of an entry that no batch has looked at, that it is refused, so that it can never be taken for logged. */
  readonly outcomes: Float64Array;
  /** Entries before this one are in a batch, or were found to be duplicates. */
  next: number;
}

/** A run of entries of one delivery. */
export interface Part {
  readonly delivery: Delivery;
  readonly from: number;
  readonly to: number;
}

export function delivery(item: QueueItem): Delivery {
  return { item, outcomes: new Float64Array(item.entries.length).fill(Number.NaN), next: 0 };
}

/**
 * Deliveries with entries that are in no batch yet, in order, and how much that is. The sums are kept: whoever asks after
 * every item, as the sequencer does, would else walk all of them for each.
 */
export class Deliveries {
  #line: Delivery[] = [];
  #entries = 0;
  #bytes = 0;

  /** Entries that are in no batch yet. */
  get entries(): number {
    return this.#entries;
  }

  /** The same in bytes of bundle encoding. */
  get bytes(): number {
    return this.#bytes;
  }

  get first(): Delivery | undefined {
    return this.#line[0];
  }

  add(delivery: Delivery): void {
    this.#line.push(delivery);
    this.#count(delivery, delivery.next, delivery.item.entries.length, 1);
  }

  /**
   * Takes entries off the front up to the bounds, for a record on top of `size` entries. A batch that leaves entries
   * behind ends at a multiple of 256, so that a full batch needs no partial bundle.
   */
  take(size: number, maxEntries: number, maxBytes: number): Part[] {
    const aligned = maxEntries - ((size + maxEntries) % TILE_WIDTH);
    const limit = aligned > 0 && this.#entries > maxEntries ? aligned : maxEntries;
    const parts: Part[] = [];
    let count = 0;
    let bytes = 0;
    let whole = 0;
    for (const delivery of this.#line) {
      const { entries } = delivery.item;
      const from = delivery.next;
      let to = from;
      for (; to < entries.length && count < limit; to++, count++) {
        const length = bytesOf(delivery, to, to + 1);
        if (bytes + length > maxBytes) break;
        bytes += length;
      }
      if (to > from) parts.push({ delivery, from, to });
      delivery.next = to;
      if (to < entries.length) break;
      whole += 1;
    }
    this.#line.splice(0, whole);
    this.#entries -= count;
    this.#bytes -= bytes;
    return parts;
  }

  /** Gives the entries of `parts` back to the front, in their old order. */
  giveBack(parts: readonly Part[]): void {
    for (const { delivery, from, to } of parts.toReversed()) {
      delivery.next = from;
      if (this.#line[0] !== delivery) this.#line.unshift(delivery);
      this.#count(delivery, from, to, 1);
    }
  }

  /** The entries of the first delivery before `to` are in the log, or refused. */
  advanceFirst(to: number): void {
    const [first] = this.#line;
    if (first === undefined) return;
    this.#count(first, first.next, to, -1);
    first.next = to;
    if (to === first.item.entries.length) this.#line.shift();
  }

  /** Forgets all of them; what they were. */
  clear(): Delivery[] {
    const line = this.#line;
    this.#line = [];
    this.#entries = this.#bytes = 0;
    return line;
  }

  #count(delivery: Delivery, from: number, to: number, sign: 1 | -1): void {
    this.#entries += sign * (to - from);
    this.#bytes += sign * bytesOf(delivery, from, to);
  }
}

/** Of entries [from, to), in bundle encoding. */
function bytesOf({ item }: Delivery, from: number, to: number): number {
  const { spans } = item.entries;
  return from === to ? 0 : (spans[2 * to - 1] ?? 0) - (spans[2 * from] ?? 0) + 2;
}
