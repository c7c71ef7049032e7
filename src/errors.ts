/**
 * The errors of Stele: one class, a closed union of codes.
 *
 * A code says what the caller can do about it; the message says what happened, to which object, and what the
 * operator can do. Codes are stable: programs switch on them, and the command line maps each to one exit status.
 */

export type ErrorCode =
  /** Untrusted bytes are not what their format asks for. */
  | 'malformed'
  /** A number, an entry or an object is beyond a limit of the format or the configuration. */
  | 'limit'
  /** No key that we know has signed this. */
  | 'unverified'
  /** A known key's signature, or a proof, does not verify. */
  | 'invalid-proof'
  /** What was asked for is not in the log, or the object does not exist. */
  | 'not-found'
  /** A stored object is not what the signed checkpoint commits to. */
  | 'corrupt'
  /** Two signed checkpoints of one log of which neither extends the other. */
  | 'fork'
  /** An immutable object exists with other bytes. */
  | 'conflict'
  /** A compare-and-swap was lost: the object is not at the expected version. */
  | 'precondition-failed'
  /** A write was sent and its outcome is unknown: it may have happened, or may yet. */
  | 'outcome-unknown'
  /** The store or the network failed; nothing was changed; trying again may help. */
  | 'unreachable'
  /** Too much is waiting; try again after `retryAfterMs`. */
  | 'busy'
  /** Another process writes to this log. */
  | 'locked'
  /** The stores do not belong together, or one went back in time; nothing was written; see `stele recover`. */
  | 'refused'
  /** The log is frozen: nothing can be appended any more. */
  | 'frozen'
  /** Configuration, command line, or a file the operator gave is wrong. */
  | 'config'
  /** The caller gave up (AbortSignal), or the log was closed. */
  | 'aborted';

/** Every error that Stele throws on purpose. `cause` holds the underlying error where there is one. */
export class SteleError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SteleError';
    this.code = code;
  }
}

/** Too much is waiting. `retryAfterMs` is a hint for when room is expected, in milliseconds. */
export class BusyError extends SteleError {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super('busy', message);
    this.name = 'BusyError';
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * A store refuses our credentials, or what they ask for. To a GET, a bucket that may not be listed says this of absent
 * objects, too.
 */
export class DeniedError extends SteleError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('config', message, options);
    this.name = 'DeniedError';
  }
}

/** Whether `error` is a SteleError with one of `codes` (any code when none is given). */
export function isSteleError(error: unknown, ...codes: ErrorCode[]): error is SteleError {
  return error instanceof SteleError && (codes.length === 0 || codes.includes(error.code));
}
