import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { minioCredentials } from './bucket-credentials.ts';
import type { BucketLocation } from './s3-url.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** Connections for what is not part of a `createAll`: a commit must not wait for the tiles of a publication. */
const CONNECTIONS_BESIDE = 32;

/**
 * The SDK's client for one bucket. Whatever is sent is sent once: what may be tried again is for us to know.
 * Connections are bounded, kept open, and refused by the time a server that does not answer would hang us.
 */
export function makeClient(location: BucketLocation): S3Client {
  const { endpoint, region, pathStyle, concurrency, scheme } = location;
  const agent = { keepAlive: true, maxSockets: concurrency + CONNECTIONS_BESIDE };
  const config: S3ClientConfig = {
    maxAttempts: 1,
    // Handed in as instances: for a handler of its own making the SDK opens a connection for each `Expect`.
    requestHandler: { httpAgent: new ImpatientHttpAgent(agent), httpsAgent: new ImpatientHttpsAgent(agent) },
    forcePathStyle: pathStyle,
    ...(region === undefined ? {} : { region }),
    ...(scheme === 'minio' ? { credentials: minioCredentials() } : {}),
  };
  if (endpoint !== undefined) {
    // Checksum trailers and `Expect: 100-continue` are AWS's; other servers know them or do not.
    config.endpoint = endpoint;
    config.requestChecksumCalculation = 'WHEN_REQUIRED';
    config.responseChecksumValidation = 'WHEN_REQUIRED';
    config.expectContinueHeader = false;
  }
  return new S3Client(config);
}

/** The SDK's own connection timeout also counts the time that a request waits for one of the bounded connections. */
class ImpatientHttpAgent extends HttpAgent {
  override createConnection(...given: Parameters<HttpAgent['createConnection']>): Duplex | null | undefined {
    return limited(super.createConnection(...given), 'connect');
  }
}

class ImpatientHttpsAgent extends HttpsAgent {
  override createConnection(...given: Parameters<HttpsAgent['createConnection']>): Duplex | null | undefined {
    return limited(super.createConnection(...given), 'secureConnect');
  }
}

function limited(stream: Duplex | null | undefined, connected: string): Duplex | null | undefined {
  if (stream != null) {
    const timer = setTimeout(() => {
      const { remoteAddress = 'the server' } = stream as Partial<Socket>;
      const message = `no connection to ${remoteAddress} within ${CONNECT_TIMEOUT_MS} ms`;
      stream.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT', syscall: 'connect' }));
    }, CONNECT_TIMEOUT_MS);
    stream.once(connected, () => clearTimeout(timer));
    stream.once('close', () => clearTimeout(timer));
  }
  return stream;
}
