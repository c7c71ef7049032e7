/** A connection to a NATS cluster, which survives its servers: whoever asks meanwhile is answered late, or with an error. */

import { readFile } from 'node:fs/promises';
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { SteleError } from '../errors.ts';
import { natsFailure } from './nats-errors.ts';
import { type NatsPlace, natsName } from './nats-url.ts';

/** How long an answer may take, in milliseconds, before it counts as lost. */
export const REQUEST_MS = 5_000;
const RECONNECT_PAUSE_MS = 250;
/** A server that is gone without a word is noticed after two of these, in milliseconds. */
const PING_MS = 10_000;

export interface NatsLink {
  readonly connection: NatsConnection;
  readonly place: NatsPlace;
  /**
   * The connection, to send something over. Throws `unreachable` while there is none: what is sent then would be kept, in
   * memory, for when there is one again.
   */
  sending(): NatsConnection;
  /** Whether there is a connection now. */
  isUp(): boolean;
  /** Calls `listener` whenever the connection is there again: requests that waited at a server are lost with one. */
  onReconnect(listener: () => void): void;
  close(): Promise<void>;
}

/** Throws `config` where the credentials are wrong, `unreachable` when no server answers. */
export async function connectTo(place: NatsPlace): Promise<NatsLink> {
  const authenticator = await authenticatorFrom(process.env);
  try {
    const connection = await connect({
      servers: [...place.servers],
      name: 'stele',
      ...(place.tls && { tls: {} }),
      ...(authenticator && { authenticator }),
      timeout: REQUEST_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_PAUSE_MS,
      pingInterval: PING_MS,
    });
    return linkOf(connection, place);
  } catch (error) {
    throw natsFailure('cannot connect to the queue', place, error);
  }
}

function linkOf(connection: NatsConnection, place: NatsPlace): NatsLink {
  let up = true;
  const listeners: (() => void)[] = [];
  const follow = async (): Promise<void> => {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect' || type === 'close') up = false;
      if (type !== 'reconnect') continue;
      up = true;
      for (const listener of listeners) listener();
    }
  };
  void follow();
  return {
    connection,
    place,
    isUp: () => up,
    sending() {
      if (up && !connection.isClosed()) return connection;
      throw new SteleError('unreachable', `no server of ${natsName(place)} is connected now`);
    },
    onReconnect: (listener) => listeners.push(listener),
    close: () => connection.close(),
  };
}

/** Credentials come from the environment only, and are never part of a message. */
async function authenticatorFrom(environment: NodeJS.ProcessEnv): Promise<Authenticator | undefined> {
  const { NATS_CREDS, NATS_USER, NATS_PASSWORD } = environment;
  if (NATS_CREDS !== undefined && NATS_CREDS !== '') {
    const bytes = await readFile(NATS_CREDS).catch((cause: Error) => {
      throw new SteleError('config', `NATS_CREDS names ${NATS_CREDS}, which cannot be read: ${cause.message}`, {
        cause,
      });
    });
    return credsAuthenticator(bytes);
  }
  if (NATS_USER === undefined || NATS_USER === '') return undefined;
  return usernamePasswordAuthenticator(NATS_USER, NATS_PASSWORD);
}
