/**
 * What an answer of an S3 server, or its absence, says about what was asked (DESIGN §4).
 *
 * The one question that matters: was something written? Only an answer with a status below 500, or a connection that
 * was never made, says no. Everything else is unknown.
 */

import { DeniedError, SteleError } from '../errors.ts';
import { UnreachableError } from './errors.ts';
import { parseRetryAfter } from './http-retry-after.ts';

/** What of the SDK's errors is used. */
interface Answered {
  readonly status: number | undefined;
  readonly name: string;
  readonly message: string;
  readonly retryAfter: string | null;
  /** Where the bucket is, if a server told it. */
  readonly region: string;
}

/** The status that the server answered with; undefined: none came. */
export function statusOf(error: unknown): number | undefined {
  return answered(error).status;
}

/** The S3 error code, such as `NoSuchBucket`. */
export function codeOf(error: unknown): string {
  return answered(error).name;
}

/** A read that failed: nothing was changed, so all that may pass is `unreachable`. */
export function readFailure(error: unknown, doing: string): SteleError {
  if (error instanceof SteleError) return error;
  return definite(error, doing) ?? unreachable(error, doing);
}

/** A write that failed: `outcome-unknown` unless the answer, or the connection that was never made, says otherwise. */
export function writeFailure(error: unknown, doing: string): SteleError {
  if (error instanceof SteleError) return error;
  const { status } = answered(error);
  if (status === undefined ? neverSent(error) : status < 500 && status !== 408) {
    return definite(error, doing) ?? unreachable(error, doing);
  }
  const known = status === undefined ? definite(error, doing) : undefined;
  if (known !== undefined || status === 501) {
    return known ?? new SteleError('config', `${doing}: the server cannot do that: ${said(error)}`, { cause: error });
  }
  return new UnknownError(`${doing}: nobody knows whether it happened: ${said(error)}`, {
    cause: error,
    retryAfterMs: retryAfterOf(error),
  });
}

/** `outcome-unknown`, with the wait that the server asked for, if it did. */
export class UnknownError extends SteleError {
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options?: { cause?: unknown; retryAfterMs?: number | undefined }) {
    super('outcome-unknown', message, options);
    this.name = 'UnknownError';
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** What asking again will not change. */
function definite(error: unknown, doing: string): SteleError | undefined {
  const { status, name, region } = answered(error);
  const cause = { cause: error };
  // A HEAD has no body that would name it.
  if (status === 301)
    return new SteleError('config', `${doing}: say region=${region} in its URL: ${said(error)}`, cause);
  switch (name) {
    case 'NoSuchBucket':
      return new SteleError('config', `${doing}: the bucket does not exist`, cause);
    case 'AuthorizationHeaderMalformed':
      return new SteleError('config', `${doing}: say region=${region} in its URL: ${said(error)}`, cause);
    case 'CredentialsProviderError':
      return new SteleError(
        'config',
        `${doing}: no credentials were found (environment, shared configuration, or the machine's role)`,
        cause,
      );
    case 'ExpiredToken':
    case 'RequestTimeTooSkewed':
    case 'RequestTimeout':
    case 'SlowDown':
      return undefined;
  }
  if (status === undefined && error instanceof Error && /^Region is missing/.test(error.message)) {
    return new SteleError('config', `${doing}: say region=… in its URL, or AWS_REGION in the environment`, cause);
  }
  return status === 401 || status === 403
    ? new DeniedError(`${doing}: the server refuses these credentials: ${said(error)}`, cause)
    : undefined;
}

function unreachable(error: unknown, doing: string): UnreachableError {
  return new UnreachableError(`${doing}: ${said(error)}`, { cause: error, retryAfterMs: retryAfterOf(error) });
}

/** No connection was made: a name that does not resolve, a port where nobody listens, no way there. */
function neverSent(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(neverSent);
  if (!(error instanceof Error)) return false;
  const syscall = 'syscall' in error ? error.syscall : undefined;
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
  return error.cause !== undefined && neverSent(error.cause);
}

function retryAfterOf(error: unknown): number | undefined {
  return parseRetryAfter(answered(error).retryAfter, Date.now());
}

function said(error: unknown): string {
  const { status, name, message } = answered(error);
  const text = message === '' || message === name ? name : `${name}: ${message}`;
  return status === undefined ? text : `${status} ${text}`;
}

function answered(error: unknown): Answered {
  const {
    name = 'Error',
    message = '',
    $metadata,
    $response,
    code,
  } = (error ?? {}) as {
    name?: string;
    message?: string;
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: Record<string, string> };
  };
  const socket = typeof code === 'string' && name === 'Error' ? code : name;
  return {
    status: $metadata?.httpStatusCode ?? $response?.statusCode,
    name: socket,
    message,
    retryAfter: $response?.headers?.['retry-after'] ?? null,
    region: $response?.headers?.['x-amz-bucket-region'] ?? '…',
  };
}
