/** Sets aside what can never be an item: into the stream of bad messages, with the reason, and a receipt for who waits. */

import type { JetStreamClient } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import type { BadMessage } from './nats-items.ts';
import { natsItemName } from './nats-items.ts';
import { writeNatsReceipt } from './nats-receipts.ts';
import { badSubject, HEADER_ROOM } from './nats-streams.ts';
import type { NatsPlace } from './nats-url.ts';
import { encodeReceipt } from './receipt.ts';

/** Of a reason, in characters: the headers of a message are part of its length. */
const MAX_REASON = 1_000;

/**
 * Both are there on return, and not before that may the message be terminated. A copy that would not fit together with
 * its headers is cut.
 */
export async function setMessageAside(
  js: JetStreamClient,
  place: NatsPlace,
  message: BadMessage,
  maxPayload: number,
): Promise<void> {
  const { seq, id, bad, bytes } = message;
  const kept = bytes.subarray(0, Math.max(0, maxPayload - HEADER_ROOM));
  const about = headers();
  about.set('Stele-Reason', printable(kept.length < bytes.length ? `${bad}; cut from ${bytes.length} bytes` : bad));
  about.set('Stele-Item', natsItemName(seq, id));
  // After a crash in between, or by another sequencer, the same is done again.
  await js.publish(badSubject(place), kept, { headers: about, msgID: natsItemName(seq, id) });
  const refused = `the queue set it aside: ${bad}`;
  await writeNatsReceipt(js, place, { seq, id }, encodeReceipt({ outcomes: [{ refused }], treeSize: 0 }));
}

export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON);
}
