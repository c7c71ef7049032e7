/** Asking JetStream for messages, by its pull protocol (docs.nats.io, "JetStream wire API reference"). */

import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { createInbox, nanos } from '@nats-io/transport-node';
import { REQUEST_MS } from './nats-connection.ts';
import { CONSUMER } from './nats-streams.ts';
import type { NatsPlace } from './nats-url.ts';

export interface Pull {
  readonly messages: number;
  /** Of messages with their headers. One message that is longer is not delivered: ask for more than any may have. */
  readonly bytes: number;
  /** How long to wait for messages, in milliseconds; 0: only for what waits already. */
  readonly waitMs: number;
}

/**
 * How long a server may say nothing, in milliseconds, before what waits counts as asked for in vain. It does say nothing
 * where the consumer has as many unanswered messages as it may have.
 */
const SILENCE_MS = 2_000;
const IDLE_HEARTBEAT = 100;
/** Nothing (more) waits; the time is over. */
const NOTHING = new Set([404, 408]);
/** The server has not answered a pull in time. */
export class Silence extends Error {}

const LIMIT_REACHED = /^(Batch Completed|Message Size Exceeds MaxBytes)/i;

/**
 * Hands messages to `take` until as many as were asked for have come, no more wait, or the time is over; or `stop` aborts.
 *
 * Rejects when the server refuses, with `Silence` when it says nothing: what it has sent meanwhile without our seeing is delivered
 * again when the consumer's time for an acknowledgement is over.
 */
export function pullMessages(
  connection: NatsConnection,
  { stream }: NatsPlace,
  { messages, bytes, waitMs }: Pull,
  take: (message: Msg) => void,
  stop: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = messages;
    const end = (failure?: Error): void => {
      clearTimeout(overdue);
      stop.removeEventListener('abort', abort);
      subscription.unsubscribe();
      if (failure) reject(failure);
      else resolve();
    };
    const abort = (): void => end();
    const patienceMs = waitMs === 0 ? SILENCE_MS : waitMs + REQUEST_MS;
    const overdue = setTimeout(() => end(new Silence('the server does not answer')), patienceMs);
    const inbox = createInbox();
    const subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error) return end(error);
        const { code = 0, description = '' } = message.headers ?? {};
        if (code === IDLE_HEARTBEAT) return;
        if (code !== 0) return end(endsWell(code, description) ? undefined : new Error(`${code} ${description}`));
        overdue.refresh();
        take(message);
        left -= 1;
        if (left === 0) end();
      },
    });
    stop.addEventListener('abort', abort);
    const request = {
      batch: messages,
      max_bytes: bytes,
      ...(waitMs === 0 ? { no_wait: true } : { expires: nanos(waitMs) }),
    };
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${CONSUMER}`, JSON.stringify(request), { reply: inbox });
  });
}

/**
 * The number of a message in its stream, by the subject that its acknowledgement goes to: the sixth of nine parts, or the
 * eighth of eleven or more, where a domain and an account come before (ADR-15 of NATS).
 */
export function sequenceOf(reply: string): number {
  const parts = reply.split('.');
  return Number(parts.length === 9 ? parts[5] : parts[7]);
}

function endsWell(code: number, description: string): boolean {
  return NOTHING.has(code) || LIMIT_REACHED.test(description);
}
