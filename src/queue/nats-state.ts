/** What is in a queue on NATS, for whoever looks after it. */

import { JetStreamApiCodes, JetStreamApiError, jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { connectTo } from './nats-connection.ts';
import { natsFailure } from './nats-errors.ts';
import { badStream } from './nats-streams.ts';
import type { NatsPlace } from './nats-url.ts';

export interface NatsQueueState {
  /** Items that are not answered. */
  readonly waiting: number;
  /** When the oldest of them was stored, in ms since 1970 by the server's clock; undefined when nothing waits. */
  readonly oldestMs: number | undefined;
  /** Messages that were set aside. */
  readonly aside: number;
  /** The stream that these are in. */
  readonly asideStream: string;
}

export async function readState(place: NatsPlace): Promise<NatsQueueState | undefined> {
  const link = await connectTo(place);
  try {
    const jsm = await jetstreamManager(link.connection);
    const infoOf = (name: string): Promise<StreamInfo | undefined> =>
      jsm.streams.info(name).catch((error: unknown) => {
        if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined;
        throw error;
      });
    const waits = await infoOf(place.stream);
    if (waits === undefined) return undefined;
    const aside = await infoOf(badStream(place));
    const { messages, first_ts } = waits.state;
    return {
      waiting: messages,
      oldestMs: messages === 0 ? undefined : Date.parse(String(first_ts)),
      aside: aside?.state.messages ?? 0,
      asideStream: badStream(place),
    };
  } catch (error) {
    throw natsFailure('the queue cannot be read', place, error);
  } finally {
    await link.close();
  }
}
