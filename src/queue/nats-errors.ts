/** What goes wrong with NATS, in our codes. */

import { JetStreamApiError } from '@nats-io/jetstream';
import {
  AuthorizationError,
  NoRespondersError,
  PermissionViolationError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import { BusyError, DeniedError, isSteleError, SteleError } from '../errors.ts';
import { type NatsPlace, natsName } from './nats-url.ts';

/** What submitters are told when the stream is full, in milliseconds: about a publication. */
const RETRY_AFTER_MS = 1_000;

/** Error codes of JetStream's API: a message could not be stored, for the reason given; there is no disk or memory left. */
const STORE_FAILED = 10_077;
const NO_ROOM = new Set([10_023, 10_028, 10_047]);

const CREDENTIALS = 'NATS_USER and NATS_PASSWORD, or NATS_CREDS';

/**
 * The error of a request that was answered with no, or of one that changes nothing. `config`: it will be refused again;
 * `busy`: the stream is full; `unreachable`: anything else, and trying again may help.
 */
export function natsFailure(what: string, place: NatsPlace, error: unknown): SteleError {
  if (isSteleError(error)) return error;
  const start = `${what}: ${natsName(place)}`;
  if (refusal(error))
    return new DeniedError(`${start}: ${refusal(error)} (${CREDENTIALS} say who asks)`, { cause: error });
  if (nobodyAnswers(error)) {
    const why = 'nobody answers for this stream: `stele sequence` makes it, or JetStream is off or has no leader now';
    return new SteleError('unreachable', `${start}: ${why}`, { cause: error });
  }
  if (error instanceof JetStreamApiError && error.code === STORE_FAILED && /maximum .*exceeded/.test(error.message)) {
    return new BusyError(`${start} is full: ${error.message}. Does a sequencer run?`, RETRY_AFTER_MS);
  }
  if (error instanceof JetStreamApiError && NO_ROOM.has(error.code)) {
    return new BusyError(`${start}: the servers have no room: ${error.message}`, RETRY_AFTER_MS);
  }
  const why = error instanceof Error ? error.message : String(error);
  return new SteleError('unreachable', `${start}: ${why}`, { cause: error });
}

/**
 * Whether a publish that failed with this was surely not stored: the server has said so, or nobody was there to store it.
 * After anything else it may have been, or may be yet.
 */
export function surelyNotStored(error: unknown): boolean {
  // What is of our own making was never sent.
  return (
    isSteleError(error) || error instanceof JetStreamApiError || nobodyAnswers(error) || refusal(error) !== undefined
  );
}

function nobodyAnswers(error: unknown): boolean {
  return causes(error).some((one) => one instanceof NoRespondersError);
}

function refusal(error: unknown): string | undefined {
  for (const at of causes(error)) {
    if (at instanceof PermissionViolationError) return `no permission: ${at.operation} ${at.subject}`;
    if (at instanceof AuthorizationError || at instanceof UserAuthenticationExpiredError) return at.message;
  }
  return undefined;
}

/** The error, and what caused it, and so on. */
function causes(error: unknown): unknown[] {
  const all: unknown[] = [];
  for (let at = error; at !== undefined && all.length < 10; at = at instanceof Error ? at.cause : undefined)
    all.push(at);
  return all;
}
