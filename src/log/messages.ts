/** What the thread of a log and the one that opened it tell each other. */

import { BusyError, isSteleError, SteleError } from '../errors.ts';
import type { SignedCheckpoint } from '../note/index.ts';
import { type Answer, packOutcomes, type QueueItem, unpackOutcomes } from '../queue/index.ts';
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
  /** Packed. */
  readonly outcomes: Float64Array;
}

export function sendAnswer({ item, receipt: { outcomes, treeSize } }: Answer): SentAnswer {
  return { id: item.id, treeSize, outcomes: packOutcomes(outcomes) };
}

export function readAnswer({ id, treeSize, outcomes }: SentAnswer): Answer {
  return {
    item: { id, entries: { length: outcomes.length } },
    receipt: { outcomes: unpackOutcomes(outcomes), treeSize },
  };
}

/**
 * An error on its way to another thread. Cloned as it is, it would lose its class, and the fields by which programs tell
 * one error from another.
 */
export interface SentError {
  readonly kind: 'busy' | 'stele' | 'other';
  readonly message: string;
  readonly stack: string | undefined;
  /** Its own: `code`, and what it has besides, such as `retryAfterMs`, `holder`, `syscall`. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause: SentError | undefined;
}

/** Errors that caused one another, at most: a cause may be a circle. */
const MAX_CAUSES = 8;

export function sendError(error: unknown, causes = MAX_CAUSES): SentError {
  const sent = error instanceof Error ? error : new Error(String(error));
  const { message, stack, cause } = sent;
  return {
    kind: sent instanceof BusyError ? 'busy' : isSteleError(sent) ? 'stele' : 'other',
    message,
    stack,
    fields: Object.fromEntries(Object.entries(sent).filter(([name, value]) => name !== 'cause' && isCloneable(value))),
    cause: cause === undefined || causes === 0 ? undefined : sendError(cause, causes - 1),
  };
}

/** What else the constructors ask for is among the fields. */
const ofKind: Readonly<Record<SentError['kind'], (message: string) => Error>> = {
  busy: (message) => new BusyError(message, 0),
  stele: (message) => new SteleError('aborted', message),
  other: (message) => new Error(message),
};

/** What `sendError` was given: a BusyError, a SteleError, or else an Error, with its fields and causes. */
export function readError({ kind, message, stack, fields, cause }: SentError): Error {
  const error = ofKind[kind](message);
  // As a constructor defines it: not enumerable.
  if (cause !== undefined) Object.defineProperty(error, 'cause', { value: readError(cause), configurable: true });
  return Object.assign(error, fields, stack !== undefined && { stack });
}

function isCloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
