/**
 * Recover: the entries of one bundle, from whichever copy has them: the public store, the mirror, the journal; partial
 * bundles that are wider than needed, or narrower ones with the rest from journal records.
 */

import { isSteleError } from '../errors.ts';
import { equalBytes, HASH_SIZE, hashLeaves } from '../merkle/index.ts';
import type { ObjectStore, ReadableStore } from '../store/index.ts';
import { MAX_BUNDLE_SIZE, parseBundle, TILE_WIDTH, type Tile, tilePath, tileWidth } from '../tiles/index.ts';
import { listTiles } from './list-tiles.ts';
import { readRecord } from './load.ts';
import type { JournalRecord } from './record.ts';
import type { RecordHead } from './recover-evidence.ts';

/** The first entries of a bundle, as many as were asked for. */
export interface FoundBundle {
  readonly bytes: Uint8Array;
  /** As `hashLeaves` takes them. */
  readonly spans: Uint32Array;
  /** Packed leaf hashes. */
  readonly hashes: Uint8Array;
  /** Whether a level-0 tile says the same, as far as that tile reaches. */
  readonly confirmed: boolean;
  /** The public store's own objects of this very width; undefined: missing. */
  readonly stored: { readonly bundle: Uint8Array | undefined; readonly tile: Uint8Array | undefined };
}

/** Where copies of entries are kept. */
export interface CopySources {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly logId: Uint8Array;
  /** A mirror, and the size of its checkpoint. */
  readonly mirror: { readonly store: ReadableStore; readonly size: number } | undefined;
  /** Records whose entries may stand in. */
  readonly records: readonly RecordHead[];
}

/** Records kept in memory at a time: each may have 16 MiB. */
const RECORDS_HELD = 2;

export class Copies {
  readonly #sources: CopySources;
  readonly #held = new Map<number, Promise<JournalRecord | undefined>>();

  constructor(sources: CopySources) {
    this.#sources = sources;
  }

  /**
   * The first `width` entries of bundle `n`: of the copies that parse, the first that a level-0 tile confirms, else
   * the first; the roots decide about that one. Undefined where no copy has them.
   */
  async bundle(n: number, width: number): Promise<FoundBundle | undefined> {
    const { publicStore } = this.#sources;
    const [bundle, tile] = await Promise.all([
      readObject(publicStore, { level: 'entries', n, width }),
      readObject(publicStore, { level: 0, n, width }),
    ]);
    const stored = { bundle, tile };
    const own = parsed(bundle, width, width);
    if (own !== undefined && tile !== undefined && equalBytes(own.hashes, tile)) {
      return { ...own, confirmed: true, stored };
    }
    const tiles: Uint8Array[] = [];
    for await (const { bytes, width: wide } of this.#stored(0, n, width)) {
      if (bytes.length === wide * HASH_SIZE) tiles.push(bytes);
    }
    const whole = tiles.filter((hashes) => hashes.length >= width * HASH_SIZE);
    const judges = whole.length > 0 ? whole : tiles;
    let first: FoundBundle | undefined;
    for await (const copy of this.#copies(n, width)) {
      const confirmed = judges.some((hashes) => agree(hashes, copy.hashes));
      if (confirmed) return { ...copy, confirmed, stored };
      first ??= { ...copy, confirmed, stored };
    }
    return first;
  }

  async *#copies(n: number, width: number): AsyncGenerator<Entries, void> {
    const start = n * TILE_WIDTH;
    for await (const { bytes, width: wide } of this.#stored('entries', n, width)) {
      const head = parsed(bytes, wide, Math.min(wide, width));
      if (head === undefined) continue;
      if (wide >= width) yield head;
      else yield* this.#completed(head.bytes, start + wide, start + width, width);
    }
    yield* this.#completed(new Uint8Array(), start, start + width, width);
  }

  /** `head`, followed by entries [from, to) of the journal's records, if these have them all. */
  async *#completed(head: Uint8Array, from: number, to: number, width: number): AsyncGenerator<Entries, void> {
    const pieces = [head];
    for (let at = from; at < to; ) {
      const covering = this.#sources.records.find(({ baseSize, newSize }) => baseSize <= at && newSize > at);
      const record = covering && (await this.#record(covering.baseSize));
      if (record === undefined) return;
      const end = Math.min(to, record.newSize);
      const begin = (record.entries.spans[2 * (at - record.baseSize)] ?? 0) - 2;
      pieces.push(record.entries.bytes.subarray(begin, record.entries.spans[2 * (end - record.baseSize) - 1]));
      at = end;
    }
    const whole = parsed(Buffer.concat(pieces), width, width);
    if (whole !== undefined) yield whole;
  }

  /** Copies of tile (level, n) that are of any use for `width`: the public store's first, the fitting and wider before the narrower. */
  async *#stored(
    level: Tile['level'],
    n: number,
    width: number,
  ): AsyncGenerator<{ bytes: Uint8Array; width: number }, void> {
    const { publicStore, mirror } = this.#sources;
    const places: [ReadableStore, number[]][] = [[publicStore, await storedWidths(publicStore, level, n)]];
    if (mirror !== undefined) places.push([mirror.store, [width, TILE_WIDTH, tileWidth(level, n, mirror.size)]]);
    for (const [store, widths] of places) {
      const wider = widths.filter((wide) => wide >= width).sort((a, b) => a - b);
      const narrower = widths.filter((wide) => wide > 0 && wide < width).sort((a, b) => b - a);
      for (const wide of new Set([...wider, ...narrower])) {
        const bytes = await readObject(store, { level, n, width: wide });
        if (bytes !== undefined) yield { bytes, width: wide };
      }
    }
  }

  #record(base: number): Promise<JournalRecord | undefined> {
    const held = this.#held.get(base);
    if (held !== undefined) return held;
    for (const [oldest] of this.#held) if (this.#held.size >= RECORDS_HELD) this.#held.delete(oldest);
    const record = readRecord(this.#sources, base);
    this.#held.set(base, record);
    return record;
  }
}

type Entries = Pick<FoundBundle, 'bytes' | 'spans' | 'hashes'>;

/** Widths that the store has tile (level, n) in. */
export async function storedWidths(store: ObjectStore, level: Tile['level'], n: number): Promise<number[]> {
  const widths: number[] = [];
  for await (const { tile } of listTiles(store, tilePath({ level, n, width: TILE_WIDTH }))) widths.push(tile.width);
  return widths;
}

/** The bytes of a tile or bundle, unverified. One that is too long to be any comes back empty: it is there, and wrong. */
export async function readObject(store: ReadableStore, tile: Tile): Promise<Uint8Array | undefined> {
  const maxBytes = tile.level === 'entries' ? MAX_BUNDLE_SIZE : TILE_WIDTH * HASH_SIZE;
  try {
    return (await store.get(tilePath(tile), { maxBytes }))?.bytes;
  } catch (error) {
    if (isSteleError(error, 'limit')) return new Uint8Array();
    throw error;
  }
}

/** The first `width` entries of bytes that are a bundle of `wide`. */
function parsed(bytes: Uint8Array | undefined, wide: number, width: number): Entries | undefined {
  if (bytes === undefined) return undefined;
  try {
    const spans = parseBundle(bytes, wide).subarray(0, 2 * width);
    const head = bytes.subarray(0, spans[2 * width - 1]);
    return { bytes: head, spans, hashes: hashLeaves(head, spans) };
  } catch (error) {
    if (isSteleError(error, 'malformed')) return undefined;
    throw error;
  }
}

/** Whether the shorter of two runs of packed hashes is the start of the other. */
export function agree(one: Uint8Array, other: Uint8Array): boolean {
  const length = Math.min(one.length, other.length);
  return equalBytes(one.subarray(0, length), other.subarray(0, length));
}
