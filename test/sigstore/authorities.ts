/** Fulcio, its certificate log and a timestamp authority, as @sigstore/mock plays them, behind HTTP on loopback. */

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fulcioHandler, initializeCA, initializeCTLog, initializeTSA, tsaHandler } from '@sigstore/mock';

export const IDENTITY = 'dev@example.com';
export const ISSUER = 'https://fake.oidcissuer.com';
const START = '2024-01-01T00:00:00Z';

export interface Authorities {
  readonly url: string;
  /** A TrustedRoot without logs. */
  readonly trustedRoot: Readonly<Record<string, unknown>>;
  /** A SigningConfig without logs. */
  readonly signingConfig: Readonly<Record<string, unknown>>;
  /** A token of IDENTITY; nobody checks its signature. */
  readonly token: string;
  close(): Promise<void>;
}

export async function startAuthorities(): Promise<Authorities> {
  const keys = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
  // @sigstore/core reads times with no or three digits behind the point, the mock writes one to three.
  const clock = new Date();
  const ct = await initializeCTLog(keys('P-256'));
  const ca = await initializeCA(keys('P-384'), ct);
  const tsa = await initializeTSA(keys('P-384'), clock);
  const handlers = [fulcioHandler(ca), tsaHandler(tsa)];

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    clock.setTime(Math.floor(Date.now() / 1_000) * 1_000);
    const handler = handlers.find(({ path }) => path === request.url);
    const answer = await handler?.fn(Buffer.concat(chunks).toString());
    response.writeHead(answer?.statusCode ?? 404, { 'content-type': answer?.contentType ?? 'text/plain' });
    response.end(answer?.response ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const service = [{ url, majorApiVersion: 1, validFor: { start: START }, operator: 'stele.test' }];
  const who = { organization: 'sigstore.mock', commonName: 'sigstore' };
  return {
    url,
    trustedRoot: {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      ctlogs: [
        {
          baseUrl: `${url}/ct`,
          hashAlgorithm: 'SHA2_256',
          publicKey: {
            rawBytes: base64(ct.publicKey),
            keyDetails: 'PKIX_ECDSA_P256_SHA_256',
            validFor: { start: START },
          },
          logId: { keyId: base64(ct.logID) },
        },
      ],
      certificateAuthorities: [
        { subject: who, uri: url, certChain: chain(ca.rootCertificate), validFor: { start: START } },
      ],
      timestampAuthorities: [
        {
          subject: who,
          uri: url,
          certChain: chain(tsa.intCertificate, tsa.rootCertificate),
          validFor: { start: START },
        },
      ],
    },
    signingConfig: {
      mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
      caUrls: service,
      oidcUrls: service,
      tsaUrls: service,
      tsaConfig: { selector: 'ANY' },
    },
    token: tokenOf(IDENTITY),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function tokenOf(email: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: ISSUER, aud: 'sigstore', sub: email, email, email_verified: true, iat: now, exp: now + 3_600 };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.c2ln`;
}

function chain(...certificates: readonly ArrayBufferView[]): object {
  return { certificates: certificates.map((certificate) => ({ rawBytes: base64(certificate) })) };
}

function base64({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
