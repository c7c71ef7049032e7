/** Where a queue on NATS is: the servers of a cluster, and the stream (tiles-spec/submission.md, "NATS"). */

import { SteleError } from '../errors.ts';

export interface NatsPlace {
  /** Each as `host:port`; any of them leads to all. */
  readonly servers: readonly string[];
  readonly tls: boolean;
  /** The stream of what waits: 1 to 32 characters of A–Z, a–z, 0–9, `-` and `_`. */
  readonly stream: string;
  /** Servers that keep each message, 1 to 5; undefined: whatever the stream has, 1 for a new one. */
  readonly replicas: number | undefined;
  /** Bytes that a new stream may hold before submitters are told to wait; undefined: DEFAULT_STREAM_BYTES. */
  readonly maxBytes: number | undefined;
}

/** NATS sets this much disk aside for a stream of submissions, on each of its replicas. */
export const DEFAULT_STREAM_BYTES = 2 ** 30;
/** An item of 16 MiB and its headers have to find room. */
const LEAST_STREAM_BYTES = 32 * 2 ** 20;

const DEFAULT_PORT = '4222';
const FORM = 'nats://HOST:PORT/STREAM, or tls:// instead of nats://, with several HOST:PORT separated by commas';
const URL_PARTS = /^(nats|tls):\/\/([^/?#]*)\/([^/?#]*)(?:\?([^#]*))?$/i;

export function isNatsUrl(text: string): boolean {
  return /^(nats|tls):/i.test(text);
}

/**
 * Reads `nats://a:4222,b:4222/STREAM?replicas=3&max-bytes=1073741824`. Throws `config`, without repeating what might be
 * a password: credentials come from the environment.
 */
export function parseNatsUrl(text: string): NatsPlace {
  if (text.includes('@')) {
    throw bad('has a user or a password in it. Give them as NATS_USER and NATS_PASSWORD, or a file as NATS_CREDS');
  }
  const [, scheme, hosts, stream, query] = URL_PARTS.exec(text) ?? [];
  if (hosts === undefined || stream === undefined) throw bad(`${text} is not ${FORM}`);
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(stream)) {
    throw bad(`${text} names the stream ${JSON.stringify(stream)}: 1 to 32 letters, digits, "-" and "_"`);
  }
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (name !== 'replicas' && name !== 'max-bytes')
      throw bad(`${text} has ?${name}: there are replicas and max-bytes`);
    if (parameters.getAll(name).length > 1) throw bad(`${text} says ${name} more than once`);
  }
  return {
    servers: hosts.split(',').map((host) => serverOf(host, text)),
    tls: scheme?.toLowerCase() === 'tls',
    stream,
    replicas: numberIn(parameters, 'replicas', 1, 5, text),
    maxBytes: numberIn(parameters, 'max-bytes', LEAST_STREAM_BYTES, Number.MAX_SAFE_INTEGER, text),
  };
}

/** What an operator would recognise. */
export function natsName({ servers, tls, stream }: NatsPlace): string {
  return `${tls ? 'tls' : 'nats'}://${servers.join(',')}/${stream}`;
}

function serverOf(host: string, text: string): string {
  const url = `http://${host}/`;
  // Parsed as the URL of a web server, whose port 80 would be left out.
  const port = /:([0-9]+)$/.exec(host)?.[1];
  if (host === '' || !URL.canParse(url)) throw bad(`${text} is not ${FORM}`);
  return `${new URL(url).hostname}:${port ?? DEFAULT_PORT}`;
}

function numberIn(
  parameters: URLSearchParams,
  name: string,
  least: number,
  most: number,
  text: string,
): number | undefined {
  const given = parameters.get(name);
  if (given === null) return undefined;
  const value = Number(given);
  if (/^[0-9]+$/.test(given) && value >= least && value <= most) return value;
  throw bad(`${text} says ${name}=${given}: it is a number from ${least} to ${most}`);
}

function bad(why: string): SteleError {
  return new SteleError('config', `the queue's URL: ${why}`);
}
