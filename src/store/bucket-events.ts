/**
 * Bucket events of MinIO. Its client only signs the request here: what it makes of an answer that is no list of events,
 * an XML error page for one, it throws outside of every handler, and that ends the process.
 */

import type { BucketLocation } from './s3-url.ts';

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** A signed URL is used at once. */
const SIGNED_FOR_S = 60;

/** See buckets.ts, `listenForObjects`. */
export function listenToBucket(location: BucketLocation, prefix: string, onEvent: () => void): { stop(): void } {
  const over = new AbortController();
  if (location.scheme === 'minio') void listenUntil(over.signal, location, prefix, onEvent);
  return { stop: () => over.abort() };
}

async function listenUntil(
  signal: AbortSignal,
  location: BucketLocation,
  prefix: string,
  onEvent: () => void,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      for await (const chunk of await eventsOf(location, prefix, signal)) {
        failures = 0;
        // Between events the server sends spaces, to keep the connection open.
        if (chunk.some((byte) => byte > 0x20)) onEvent();
      }
    } catch {
      // Not MinIO, not allowed, or not there now: whoever listens asks as well.
    }
    await pause(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10)), signal);
  }
}

async function eventsOf(
  location: BucketLocation,
  prefix: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const { Client } = await import('minio');
  const { minioCredentials } = await import('./bucket-credentials.ts');
  const { accessKeyId, secretAccessKey, sessionToken } = minioCredentials();
  const server = new URL(location.endpoint ?? '');
  const client = new Client({
    endPoint: server.hostname,
    ...(server.port === '' ? {} : { port: Number(server.port) }),
    useSSL: server.protocol === 'https:',
    accessKey: accessKeyId,
    secretKey: secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(location.region === undefined ? {} : { region: location.region }),
    pathStyle: true,
  });
  const url = await client.presignedUrl('GET', location.bucket, '', SIGNED_FOR_S, {
    prefix: `${location.prefix}${prefix}`,
    suffix: '',
    events: 's3:ObjectCreated:*',
    ping: '10',
  });
  // Compressed, the answer would be held back for good.
  const answer = await fetch(url, { signal, headers: { 'accept-encoding': 'identity' } });
  const isStream = answer.ok && answer.body !== null;
  if (!isStream) throw new Error(`no events: ${answer.status}`);
  return answer.body as AsyncIterable<Uint8Array>;
}

/** Holds nobody up: the process may end meanwhile. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener('abort', done);
  });
}
