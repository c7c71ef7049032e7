/** Receipts on NATS: the last message of a subject of their own, for an hour. */

import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { isSteleError, SteleError } from '../errors.ts';
import type { NatsLink } from './nats-connection.ts';
import { natsFailure } from './nats-errors.ts';
import { natsItemName } from './nats-items.ts';
import { doneStream, doneSubject, HEADER_ROOM } from './nats-streams.ts';
import { type NatsPlace, natsName } from './nats-url.ts';
import { encodeReceipt, parseReceipt } from './receipt.ts';
import { waitUntilAnswered } from './receipt-wait.ts';
import type { Receipt, ReceiptWait } from './types.ts';

/** News of a receipt comes by itself; this is for news that was lost with a connection. In milliseconds. */
const LOOK_EVERY_MS = 5_000;
/** Two lines of the head, and `refused `, a character and a line feed for each of the outcomes. */
const HEAD_BYTES = 64;
const REFUSAL_BYTES = 9;

/** The receipt as a message of at most `maxPayload` bytes: the reasons of refusals are cut until it is. */
export function receiptMessage(receipt: Receipt, maxPayload: number): Uint8Array {
  const bytes = encodeReceipt(receipt);
  const room = maxPayload - HEADER_ROOM;
  if (bytes.length <= room) return bytes;
  const reasonBytes = Math.max(1, Math.floor((room - HEAD_BYTES) / receipt.outcomes.length) - REFUSAL_BYTES);
  const outcomes = receipt.outcomes.map((outcome) =>
    'refused' in outcome ? { refused: outcome.refused.slice(0, reasonBytes) } : outcome,
  );
  return encodeReceipt({ ...receipt, outcomes });
}

/** Durable on return. One that is there already is replaced by this one, which is as true. */
export async function writeNatsReceipt(
  js: JetStreamClient,
  place: NatsPlace,
  at: { readonly seq: number; readonly id: string },
  message: Uint8Array,
): Promise<void> {
  await js.publish(doneSubject(place, at.seq, at.id), message);
}

/** The receipt of an item, a hint, or undefined while there is none. Throws `malformed`, `config` and `unreachable`. */
export async function readNatsReceipt(
  jsm: JetStreamManager,
  link: NatsLink,
  at: { readonly seq: number; readonly id: string },
): Promise<Receipt | undefined> {
  const { place } = link;
  const subject = doneSubject(place, at.seq, at.id);
  return receiptOf(subject, place, async () => {
    link.sending();
    return (await jsm.direct.getMessage(doneStream(place), { last_by_subj: subject }))?.data;
  });
}

/**
 * Waits for the receipt of an item. Throws BusyError when there is none after `timeoutMs` milliseconds, `aborted` when
 * `signal` aborts; the item stays in the queue either way. Servers that cannot be reached are asked again; throws
 * `config` where they refuse.
 */
export async function waitForNatsReceipt(
  link: NatsLink,
  jsm: JetStreamManager,
  at: { readonly seq: number; readonly id: string },
  options: ReceiptWait,
): Promise<Receipt> {
  const subject = doneSubject(link.place, at.seq, at.id);
  let news: Uint8Array | undefined;
  let trouble: Error | undefined;
  // News comes before it is stored, which takes a cluster some time: a look at news would come too early.
  const read = async (): Promise<Receipt | undefined> =>
    news === undefined ? readNatsReceipt(jsm, link, at) : receiptOf(subject, link.place, async () => news);
  return waitUntilAnswered(
    {
      what: `item ${natsItemName(at.seq, at.id)}`,
      async look() {
        try {
          const receipt = await read();
          trouble = undefined;
          return receipt;
        } catch (error) {
          if (!isSteleError(error, 'unreachable')) throw error;
          trouble = error;
          return undefined;
        }
      },
      pauseMs: () => LOOK_EVERY_MS,
      listen(ring) {
        const listening = link.connection.subscribe(subject, {
          callback(error, message) {
            if (error === null) news = message.data;
            ring();
          },
        });
        return () => listening.unsubscribe();
      },
      trouble: () => trouble,
    },
    options,
  );
}

async function receiptOf(
  subject: string,
  place: NatsPlace,
  read: () => Promise<Uint8Array | undefined>,
): Promise<Receipt | undefined> {
  try {
    const bytes = await read();
    return bytes && parseReceipt(bytes);
  } catch (error) {
    if (!isSteleError(error)) throw natsFailure(`cannot read receipt ${subject}`, place, error);
    throw new SteleError(error.code, `receipt ${subject} of ${natsName(place)}: ${error.message}`, { cause: error });
  }
}
