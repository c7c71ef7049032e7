/** What the thread of a log and the one that opened it tell each other. */

import { type ErrorCode, isSteleError, SteleError } from '../errors.ts';
import type { SignedCheckpoint } from '../note/index.ts';
import type { Answer, EntryOutcome, QueueItem } from '../queue/index.ts';
import type { Publication, RunReport } from '../sequencer/index.ts';
import type { WriterSetup } from './writer.ts';

/** What the thread starts with: the hash kernel as well, which is compiled once for all. */
export interface ThreadData {
  readonly setup: WriterSetup<string>;
  readonly kernel: WebAssembly.Module | undefined;
}

export type ToThread =
  /** The buffers of the items are the thread's from now on. */
  | { readonly kind: 'submitted'; readonly item: QueueItem }
  /** Nothing more is submitted: publish and answer what was, then end. */
  | { readonly kind: 'stop' };

export type FromThread =
  | { readonly kind: 'opened'; readonly checkpoint: SignedCheckpoint }
  | { readonly kind: 'committed'; readonly event: { entries: number; bytes: number; latencyMs: number } }
  | { readonly kind: 'published'; readonly event: Publication }
  | { readonly kind: 'retry'; readonly what: string; readonly error: SentError; readonly attempt: number }
  /** `checkpoint`: the one that stands, which covers them. */
  | { readonly kind: 'answered'; readonly answers: readonly SentAnswer[]; readonly checkpoint: SignedCheckpoint }
  /** Stores and lock are let go of; nothing more comes. */
  | { readonly kind: 'ended'; readonly report: RunReport; readonly checkpoint: SignedCheckpoint }
  | { readonly kind: 'failed'; readonly error: SentError };

/** The receipt of one item. */
export interface SentAnswer {
  readonly id: string;
  readonly treeSize: number;
  /** Of each entry its index, or for a duplicate -1 - index: objects would cost more to send than to log. */
  readonly places: Float64Array | undefined;
  /** Instead, where anything was refused. */
  readonly outcomes: readonly EntryOutcome[] | undefined;
}

export function sendAnswer({ item, receipt: { outcomes, treeSize } }: Answer): SentAnswer {
  const places = new Float64Array(outcomes.length);
  for (let i = 0; i < outcomes.length; i++) {
    const outcome = outcomes[i];
    if (outcome === undefined || 'refused' in outcome) return { id: item.id, treeSize, places: undefined, outcomes };
    places[i] = outcome.duplicate ? -1 - outcome.index : outcome.index;
  }
  return { id: item.id, treeSize, places, outcomes: undefined };
}

export function readAnswer({ id, treeSize, places, outcomes }: SentAnswer): Answer {
  const all = outcomes ?? Array.from(places ?? [], readPlace);
  return { item: { id, entries: { length: all.length } }, receipt: { outcomes: all, treeSize } };
}

function readPlace(place: number): EntryOutcome {
  return place < 0 ? { index: -1 - place, duplicate: true } : { index: place, duplicate: false };
}

/** What of an error crosses to another thread: its class does not. */
export interface SentError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly stack: string | undefined;
}

export function sendError(error: unknown): SentError {
  const plain = error instanceof Error ? error : new Error(String(error));
  return { code: isSteleError(error) ? error.code : undefined, message: plain.message, stack: plain.stack };
}

export function readError({ code, message, stack }: SentError): Error {
  const error = code === undefined ? new Error(message) : new SteleError(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
