/**
 * Failures as a Rekor v2 server tells them: an HTTP status, and `{"code", "message", "details"}` with a code of gRPC
 * (google.rpc.Code). As upstream, but with the reason, and with 413 and 503 where it says 400 and 500.
 */

import { BusyError, type ErrorCode, isSteleError } from '../errors.ts';

export interface Failure {
  readonly status: number;
  /** google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
}

export const RPC = {
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** Seconds after which whoever was turned away may come again, where nobody says otherwise. */
const RETRY_AFTER_S = 1;

export function failure(
  status: number,
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Failure {
  return { status, code, message, headers };
}

export function failureBody({ code, message }: Failure): { code: number; message: string; details: [] } {
  return { code, message, details: [] };
}

export function busy(message: string, retryAfterMs: number): Failure {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  return failure(503, RPC.unavailable, message, { 'retry-after': String(seconds) });
}

/**
 * What a client is told of an error that its submission met while it was looked at (`judging`), or logged. Errors about
 * its own bytes say why; of those on our side it learns that it may try again, or nothing: `ours` says that the operator
 * has to be told.
 */
export function failureOf(error: unknown, doing: 'judging' | 'logging'): Failure & { readonly ours: boolean } {
  if (!isSteleError(error)) return { ...INTERNAL, ours: true };
  switch (TOLD[error.code]) {
    case 'refused':
      // What is malformed once the proposal was accepted is ours.
      if (doing === 'logging') return { ...INTERNAL, ours: true };
      return { ...failure(400, RPC.invalidArgument, error.message), ours: false };
    case 'frozen':
      return {
        ...failure(405, RPC.unimplemented, `This log has been frozen, please switch to the latest log.`, {
          allow: 'OPTIONS',
        }),
        ours: false,
      };
    case 'later': {
      const retryAfterMs = error instanceof BusyError ? error.retryAfterMs : 1_000 * RETRY_AFTER_S;
      return { ...busy(error.message, retryAfterMs), ours: false };
    }
    case 'later, and the operator is told':
      return {
        ...busy('the log cannot be reached now; try again, nothing is logged twice', 1_000 * RETRY_AFTER_S),
        ours: true,
      };
    case 'internal':
      return { ...INTERNAL, ours: true };
  }
}

const INTERNAL = failure(500, RPC.internal, 'internal error');

const TOLD: Readonly<
  Record<ErrorCode, 'refused' | 'frozen' | 'later' | 'later, and the operator is told' | 'internal'>
> = {
  malformed: 'refused',
  limit: 'refused',
  'invalid-proof': 'refused',
  frozen: 'frozen',
  busy: 'later',
  aborted: 'later',
  locked: 'later, and the operator is told',
  unreachable: 'later, and the operator is told',
  'outcome-unknown': 'later, and the operator is told',
  'precondition-failed': 'later, and the operator is told',
  unverified: 'internal',
  'not-found': 'internal',
  corrupt: 'internal',
  fork: 'internal',
  conflict: 'internal',
  refused: 'internal',
  config: 'internal',
};
