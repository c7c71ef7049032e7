/**
 * What a writer knows of its log: the published checkpoint, the committed tree, and the bytes in between.
 *
 * Three sizes, in order: `published ≤ committed ≤ edge.size`. The edge may run ahead of what is committed by the
 * batches now being committed; `rollback` takes them back. A reload makes a new state; nothing is patched.
 */

import type { Hash } from '../merkle/index.ts';
import type { SignedCheckpoint } from '../note/index.ts';
import type { ETag } from '../store/index.ts';
import { type EntryRun, TILE_WIDTH, type Tile, type TileEdge } from '../tiles/index.ts';
import type { DedupWindow } from './dedup-window.ts';

/** Entries [start, end) in bundle encoding. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly payload: Uint8Array;
  /** Offset in `payload` of each entry whose index is a multiple of 256, in order. */
  readonly marks: readonly number[];
}

/** Where a journal record ended: the only sizes that may ever be published. */
export interface Boundary {
  readonly size: number;
  readonly root: Hash;
  /** Made by this writer, who therefore publishes it; another's is taken over only when nobody does. */
  readonly own: boolean;
  /** When this writer first saw it, on the injected clock. */
  readonly seen: number;
}

export interface Published {
  readonly checkpoint: SignedCheckpoint;
  readonly etag: ETag;
  /** When this writer saw it appear, on the injected clock. */
  readonly at: number;
}

export interface LogState {
  published: Published;
  readonly edge: TileEdge;
  readonly window: DedupWindow;
  /** Contiguous, from the start of the bundle that holds the published size to the committed size. */
  segments: Segment[];
  /** Committed and unpublished, ascending; empty when all is published. */
  boundaries: Boundary[];
  /** Base sizes of the journal records that may still exist, ascending. */
  journal: number[];
  frozen: boolean;
}

/** The tree that the next record extends. */
export function committed(state: LogState): { size: number; root: Hash } {
  return state.boundaries.at(-1) ?? state.published.checkpoint;
}

export function segmentOf(start: number, { bytes: payload, spans, length }: EntryRun): Segment {
  const end = start + length;
  const marks: number[] = [];
  const first = Math.ceil(start / TILE_WIDTH) * TILE_WIDTH;
  for (let index = first; index < end; index += TILE_WIDTH) marks.push((spans[2 * (index - start)] ?? 0) - 2);
  return { start, end, payload, marks };
}

/** A committed record that begins at `base`: its entries are part of the history now. */
export function advance(state: LogState, base: number, segments: readonly Segment[], boundary: Boundary): void {
  state.segments.push(...segments);
  state.boundaries.push(boundary);
  state.journal.push(base);
}

/** Undoes what was appended for batches that are not committed. */
export function rollback(state: LogState): void {
  const { size } = committed(state);
  state.edge.truncate(size);
  state.window.truncate(size);
}

/**
 * `published` was in the store, and it is one of our boundaries: nothing below it is needed any more. Two stages hear of
 * publications, so an older one may be told of later: it changes nothing.
 */
export function settlePublished(state: LogState, published: Published): void {
  const { size } = published.checkpoint;
  if (size < state.published.checkpoint.size) return;
  state.published = published;
  state.boundaries = state.boundaries.filter((boundary) => boundary.size > size);
  const bundleStart = size - (size % TILE_WIDTH);
  state.segments = state.segments.filter((segment) => segment.end > bundleStart);
  state.edge.release(size);
  state.window.release(size);
}

/** The bytes of a bundle that lies within the segments, as the pieces they are made of. */
export function bundlePieces(segments: readonly Segment[], tile: Tile): Uint8Array[] {
  const start = tile.n * TILE_WIDTH;
  const end = start + tile.width;
  const pieces: Uint8Array[] = [];
  for (let i = firstBeyond(segments, start); i < segments.length; i++) {
    const segment = segments[i];
    if (segment === undefined || segment.start >= end) break;
    pieces.push(segment.payload.subarray(offsetOf(segment, start), offsetOf(segment, end)));
  }
  return pieces;
}

/** The place of the first segment that ends beyond `index`: they are in order, and a busy log has thousands. */
function firstBeyond(segments: readonly Segment[], index: number): number {
  let low = 0;
  for (let high = segments.length; low < high; ) {
    const middle = Math.floor((low + high) / 2);
    if ((segments[middle]?.end ?? 0) > index) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Offset of entry `index`, which is a multiple of 256 or outside: no other place is ever cut. */
function offsetOf(segment: Segment, index: number): number {
  if (index <= segment.start) return 0;
  if (index >= segment.end) return segment.payload.length;
  const mark = segment.marks[(index - Math.ceil(segment.start / TILE_WIDTH) * TILE_WIDTH) / TILE_WIDTH];
  if (mark === undefined) throw new RangeError(`no bundle starts at entry ${index}`);
  return mark;
}

export function unpublishedBytes(state: LogState): number {
  const { size } = state.published.checkpoint;
  return state.segments.reduce((sum, segment) => (segment.end > size ? sum + segment.payload.length : sum), 0);
}
