/**
 * How a queue lies in JetStream (tiles-spec/submission.md, "NATS"): `STREAM` for items that wait, `STREAM-done` for
 * receipts, `STREAM-bad` for what was set aside, and one consumer that all sequencers share.
 */

import {
  AckPolicy,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { SteleError } from '../errors.ts';
import { DEFAULT_STREAM_BYTES, type NatsPlace, natsName } from './nats-url.ts';
import { RECEIPT_LIFE_MS } from './receipt.ts';
import { MAX_ITEM_BYTES } from './submission.ts';

/** What a message may be longer than its item: by its headers. */
export const HEADER_ROOM = 4_096;
/**
 * Equal submissions within this time, in milliseconds, are one message. Less than a receipt lives, so that the one of the
 * first is there for the second.
 */
const DUPLICATES_MS = 120_000;
/** What a sequencer does not answer for this long, in milliseconds, and does not say it still works on, goes to another. */
const ACK_WAIT_MS = 30_000;
/** Messages that all sequencers together may have taken and not answered. */
const MOST_UNANSWERED = 16_384;
/** The parts that receipts and bad messages have beside what waits. */
const SIDE_SHARE = 1 / 4;

export const CONSUMER = 'sequencers';

export const newSubject = ({ stream }: NatsPlace): string => `${stream}.new`;
export const badSubject = ({ stream }: NatsPlace): string => `${stream}.bad`;
export const doneStream = ({ stream }: NatsPlace): string => `${stream}-done`;
export const badStream = ({ stream }: NatsPlace): string => `${stream}-bad`;

/**
 * Receipts of the items, each by the number of its message and by its id: a stream that was made anew counts from 1, and
 * has other items at the same numbers.
 */
export const doneSubject = ({ stream }: NatsPlace, seq: number, id: string): string => `${stream}.done.${seq}.${id}`;

type StreamPlan = Pick<StreamConfig, 'name' | 'subjects' | 'retention' | 'storage' | 'discard'> & Partial<StreamConfig>;

/** The three streams, as they are made where they are not there. */
export function streamPlans(place: NatsPlace): StreamPlan[] {
  const { stream, replicas = 1, maxBytes = DEFAULT_STREAM_BYTES } = place;
  const common = { storage: StorageType.File, num_replicas: replicas };
  const side = Math.floor(maxBytes * SIDE_SHARE);
  return [
    {
      ...common,
      name: stream,
      subjects: [newSubject(place)],
      // A message is gone when it is answered; one that does not fit is refused, and nothing older makes room for it.
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.New,
      max_bytes: maxBytes,
      max_msg_size: MAX_ITEM_BYTES + HEADER_ROOM,
      duplicate_window: nanos(DUPLICATES_MS),
    },
    {
      ...common,
      name: doneStream(place),
      subjects: [`${stream}.done.>`],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_bytes: side,
      max_age: nanos(RECEIPT_LIFE_MS),
      max_msgs_per_subject: 1,
      allow_direct: true,
    },
    {
      ...common,
      name: badStream(place),
      subjects: [badSubject(place)],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_bytes: side,
    },
  ];
}

/** What must be so, or items could be lost or never answered; everything else is the operator's to change. */
const ESSENTIAL = ['retention', 'storage', 'discard', 'allow_direct', 'max_msg_size'] as const;

/**
 * Makes what is not there of streams and consumer. Several may do so at once. Throws `config` where there is something
 * else by the name of a stream.
 */
export async function ensureStreams(jsm: JetStreamManager, place: NatsPlace): Promise<ConsumerInfo> {
  for (const plan of streamPlans(place)) {
    const { config } = await jsm.streams.info(plan.name).catch((error: unknown) => {
      if (!isApiError(error, JetStreamApiCodes.StreamNotFound)) throw error;
      return jsm.streams.add(plan);
    });
    checkStream(place, plan, config);
  }
  const { stream } = place;
  const consumer = await jsm.consumers.info(stream, CONSUMER).catch((error: unknown) => {
    if (!isApiError(error, JetStreamApiCodes.ConsumerNotFound)) throw error;
    return jsm.consumers.add(stream, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: MOST_UNANSWERED,
      max_deliver: -1,
    });
  });
  if (consumer.config.ack_policy !== AckPolicy.Explicit || (consumer.config.max_deliver ?? -1) > 0) {
    const why = `its ack_policy has to be explicit, its max_deliver -1, or items would be lost`;
    throw new SteleError('config', `consumer ${CONSUMER} of ${natsName(place)} is not one of a queue: ${why}`);
  }
  return consumer;
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

function checkStream(place: NatsPlace, plan: StreamPlan, config: StreamConfig): void {
  const differs = (field: keyof StreamConfig): boolean =>
    plan[field] !== undefined && JSON.stringify(plan[field]) !== JSON.stringify(config[field]);
  const [wrong] = [
    ...ESSENTIAL.filter(differs),
    ...(differs('subjects') ? (['subjects'] as const) : []),
    ...(place.replicas !== undefined && differs('num_replicas') ? (['num_replicas'] as const) : []),
  ];
  if (wrong === undefined) return;
  const is = `${wrong} of stream ${plan.name} is ${JSON.stringify(config[wrong])}, not ${JSON.stringify(plan[wrong])}`;
  throw new SteleError(
    'config',
    `${natsName(place)}: ${is}: mend it with \`nats stream edit\`, or give the queue a stream of its own`,
  );
}
