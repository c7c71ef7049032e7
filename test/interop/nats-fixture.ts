/** Queues on a real NATS server, for tests: each on a stream of its own. */

import type { TestContext } from 'node:test';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type Clock, systemClock } from '../../src/clock.ts';
import {
  type NatsPlace,
  openNatsQueue,
  openNatsSubmitter,
  parseNatsUrl,
  type SubmissionQueue,
  type Submitter,
} from '../../src/queue/index.ts';

export interface NatsUnderTest {
  readonly url: string;
  readonly place: NatsPlace;
  readonly connection: NatsConnection;
  readonly jsm: JetStreamManager;
  open(clock?: Clock): Promise<SubmissionQueue>;
  openSubmitter(): Promise<Submitter>;
  /** Messages that wait, as their bytes and Nats-Msg-Id. */
  messages(): Promise<StoredItem[]>;
  /** Publishes to the queue's subject what no submitter would. */
  publish(bytes: Uint8Array, msgID?: string): Promise<number>;
}

export interface StoredItem {
  readonly seq: number;
  readonly messageId: string;
  readonly bytes: Uint8Array;
}

let queues = 0;

/** What is opened of it is closed when the test ends. A stream holds `maxBytes`. */
export async function natsQueue(t: TestContext, natsUrl: string, maxBytes = 32 * 2 ** 20): Promise<NatsUnderTest> {
  queues += 1;
  const url = `${natsUrl}/test-${queues}?replicas=1&max-bytes=${maxBytes}`;
  const place = parseNatsUrl(url);
  const connection = await connect({ servers: [...place.servers], maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  t.after(() => connection.close());
  const jsm = await jetstreamManager(connection);
  const js = jetstream(connection);
  // What is asked before a lost connection is there again is dropped, and nothing answers it.
  const connected = (): Promise<void> =>
    connection.flush().catch((error) => {
      if (connection.isClosed()) throw error;
      return connected();
    });
  t.after(async () => {
    for (const name of [place.stream, `${place.stream}-done`, `${place.stream}-bad`]) {
      await jsm.streams.delete(name).catch(() => {});
    }
  });
  const open = async (clock: Clock = systemClock): Promise<SubmissionQueue> => {
    const queue = await openNatsQueue(place, { clock });
    t.after(() => queue.close());
    return queue;
  };
  // A sequencer was there once, so that there are streams to submit to.
  await (await openNatsQueue(place, { clock: systemClock })).close();
  return {
    url,
    place,
    connection,
    jsm,
    open,
    async openSubmitter() {
      const submitter = await openNatsSubmitter(place, systemClock);
      t.after(() => submitter.close());
      return submitter;
    },
    async messages() {
      await connected();
      const { state } = await jsm.streams.info(place.stream);
      const found: StoredItem[] = [];
      for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq++) {
        const message = await jsm.streams.getMessage(place.stream, { seq });
        if (message) found.push({ seq, messageId: message.header.get('Nats-Msg-Id'), bytes: message.data });
      }
      return found;
    },
    async publish(bytes, msgID) {
      return (await js.publish(`${place.stream}.new`, bytes, msgID === undefined ? {} : { msgID })).seq;
    },
  };
}
