/** `POST /api/v2/log/entries`: from a request's bytes to an entry that anybody can fetch, and the proof of it. */

import {
  formatLogEntry,
  type LogEntryJson,
  type ProposalOptions,
  parseProposal,
  type ValidEntry,
  type VerifySignature,
  validate,
} from '../entry/index.ts';
import { isSteleError } from '../errors.ts';
import type { Accepted } from '../queue/index.ts';
import { busy, type Failure, failure, failureOf, RPC } from './failures.ts';
import type { Prover } from './prover.ts';
import type { Writing } from './writing.ts';

export interface EntriesOptions {
  readonly writing: Writing;
  readonly prover: Prover;
  readonly verify: VerifySignature;
  readonly proposals: Partial<ProposalOptions>;
  /** 32 bytes. */
  readonly logId: Uint8Array;
  /** How long a submission may wait for its publication, in ms. */
  readonly timeoutMs: number;
  /** What a resubmission is told: the entry that there is, or upstream's 409. */
  readonly duplicates: 'entry' | 'conflict';
  /** What became of each submission, for metrics; `kind` is one of the log's, or `none`. */
  readonly onSubmission: (kind: string, outcome: SubmissionOutcome, seconds: number) => void;
}

export type SubmissionOutcome = 'added' | 'duplicate' | 'refused' | 'busy' | 'failed';

export type EntryAnswer =
  | { readonly status: 201; readonly entry: LogEntryJson }
  | (Failure & { readonly cause?: unknown });

/** Answers one submission. Never throws: `cause` is set for what the operator has to know. */
export async function submitEntry(request: Uint8Array, options: EntriesOptions): Promise<EntryAnswer> {
  const began = performance.now();
  let kind = 'none';
  const done = (outcome: SubmissionOutcome): void =>
    options.onSubmission(kind, outcome, (performance.now() - began) / 1_000);
  const fail = (error: unknown, doing: 'judging' | 'logging'): EntryAnswer => {
    const { ours, ...told } = failureOf(error, doing);
    done(told.status === 503 ? 'busy' : ours ? 'failed' : 'refused');
    return ours ? { ...told, cause: error } : told;
  };

  let entry: ValidEntry;
  try {
    const proposal = parseProposal(request, options.proposals);
    kind = proposal.kind;
    entry = await validate(proposal, options.verify);
  } catch (error) {
    return fail(error, 'judging');
  }

  try {
    const accepted = await logged(entry.body, options);
    if ('status' in accepted) {
      done('busy');
      return accepted;
    }
    const { index, duplicate } = accepted;
    if (duplicate && options.duplicates === 'conflict') {
      done('duplicate');
      const message = `an equivalent entry already exists in the transparency log with index ${index}`;
      return failure(409, RPC.alreadyExists, message, { 'x-log-index': String(index) });
    }
    const place = await options.prover.prove(entry.body, index, duplicate);
    done(duplicate ? 'duplicate' : 'added');
    return { status: 201, entry: formatLogEntry({ ...entry, index, ...place }, options.logId) };
  } catch (error) {
    return fail(error, 'logging');
  }
}

/** Waits until the entry is published, or for as long as a client may be kept waiting. */
async function logged(body: Uint8Array, { writing, timeoutMs }: EntriesOptions): Promise<Accepted | Failure> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await writing.submitOne(body, signal);
  } catch (error) {
    if (!signal.aborted || !isSteleError(error, 'aborted', 'busy')) throw error;
    const message = `the entry was accepted, but not published within ${timeoutMs} ms: send it again, and it is logged once`;
    return busy(message, timeoutMs / 4);
  }
}
