/**
 * dsse 0.0.2: an envelope with its payload (github.com/secure-systems-lab/dsse), of which the payload's digest and the
 * signatures are logged. Upstream gave it up in June 2026; the newest @sigstore/sign still sends it.
 */

import { SteleError } from '../errors.ts';
import { toBase64 } from '../note/index.ts';
import { HASHES } from './algorithms.ts';
import { canonicalBody } from './canonical.ts';
import { digestOf } from './digest.ts';
import type { EntryKind, EntryRules, Prepared } from './kind.ts';
import { readLoggedDigest, readLoggedSignature } from './logged-fields.ts';
import { uniqueKeys } from './lookup.ts';
import { preAuthenticationEncoding } from './pae.ts';
import {
  type Field,
  readBytes,
  readList,
  readMessage,
  readSomeBytes,
  readText,
  refuse,
  required,
} from './protojson.ts';
import { type SignatureCheck, type VerifySignature, wrongSignature } from './signature.ts';
import { type EntryVerifier, readVerifier } from './verifier.ts';

/** As upstream: at most a hundred verifications a request. */
const MAX_SIGNATURES = 10;
const MAX_VERIFIERS = 10;

export const dsse: EntryKind = {
  kind: 'dsse',
  apiVersion: '0.0.2',
  field: 'dsseRequestV002',
  read: readDsse,
  readLogged(spec) {
    const record = required(spec, readMessage(spec, ['dsseV002']), 'dsseV002');
    const fields = readMessage(record, ['payloadHash', 'signatures']);
    const digest = readLoggedDigest(required(record, fields, 'payloadHash'));
    const signatures = some(required(record, fields, 'signatures'), MAX_SIGNATURES).map(readLoggedSignature);
    return { digest, signatures, signsDigest: false };
  },
};

interface Signature {
  readonly path: string;
  readonly bytes: Uint8Array;
}

interface Envelope {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  readonly signatures: readonly Signature[];
}

function readDsse(request: Field, rules: EntryRules): Prepared {
  const fields = readMessage(request, ['envelope', 'verifiers']);
  const envelope = readEnvelope(required(request, fields, 'envelope'), rules);
  const verifiers = readVerifiers(required(request, fields, 'verifiers'));
  return { prove: (verify) => prove(envelope, verifiers, verify) };
}

function readEnvelope(field: Field, { maxPayloadBytes }: EntryRules): Envelope {
  const fields = readMessage(field, ['payload', 'payloadType', 'signatures']);
  const payload = readBytes(fields.payload);
  if (payload.length > maxPayloadBytes) {
    throw new SteleError(
      'limit',
      `${field.path}.payload: has ${payload.length} bytes, above the ${maxPayloadBytes} that this log takes; ` +
        'log a hashedrekord over its pre-authentication encoding instead',
    );
  }
  const list = some(required(field, fields, 'signatures'), MAX_SIGNATURES);
  const signatures = list.map((one) => {
    const parts = readMessage(one, ['sig', 'keyid']);
    readText(parts.keyid); // has to be text, and is a hint that nothing here relies on
    return { path: one.path, bytes: readSomeBytes(one, parts, 'sig') };
  });
  return { payload, payloadType: readText(fields.payloadType), signatures: inOrder(signatures) };
}

/** Ascending by their bytes, each once: the log entry's order, whatever the envelope's. */
function inOrder(signatures: readonly Signature[]): Signature[] {
  const sorted = signatures.toSorted((a, b) => compareBytes(a.bytes, b.bytes));
  return sorted.filter(({ bytes }, at) => at === 0 || compareBytes(sorted[at - 1]?.bytes ?? bytes, bytes) !== 0);
}

function readVerifiers(field: Field): EntryVerifier[] {
  const verifiers = some(field, MAX_VERIFIERS).map(readVerifier);
  const distinct = new Set(verifiers.map(({ rawBytes }) => rawBytes));
  return distinct.size === verifiers.length ? verifiers : refuse(field, 'has the same key twice');
}

function some(field: Field, most: number): Field[] {
  const list = readList(field);
  if (list.length === 0) return refuse(field, 'is empty');
  return list.length <= most ? list : refuse(field, `has ${list.length} elements, above the ${most} that are taken`);
}

/** Every signature has to be right by one of the verifiers; the first of them, in the request's order, is logged with it. */
async function prove(
  { payload, payloadType, signatures }: Envelope,
  verifiers: readonly EntryVerifier[],
  verify: VerifySignature,
): ReturnType<Prepared['prove']> {
  const encoded = preAuthenticationEncoding(payloadType, payload);
  const askable = await Promise.all(
    verifiers.map(async (verifier) => ({ verifier, signed: await signedBy(verifier, encoded) })),
  );
  const proven: { bytes: Uint8Array; verifier: EntryVerifier }[] = [];
  for (const { path, bytes } of signatures) {
    let right: EntryVerifier | undefined;
    for (const { verifier, signed } of askable) {
      if (await verify({ key: verifier.key, signed, signature: bytes })) {
        right = verifier;
        break;
      }
    }
    if (right === undefined) throw wrongSignature(`${path}.sig`, 'none of the verifiers signed this envelope');
    proven.push({ bytes, verifier: right });
  }
  const digest = await digestOf('sha256', payload);
  const body = canonicalBody({
    apiVersion: dsse.apiVersion,
    kind: dsse.kind,
    spec: {
      dsseV002: {
        payloadHash: { algorithm: HASHES.sha256.protoName, digest: toBase64(digest) },
        signatures: proven.map(({ bytes, verifier }) => ({ content: toBase64(bytes), verifier: verifier.canonical })),
      },
    },
  });
  const signers = proven.flatMap(({ verifier }) => verifier.keys);
  return { body, keys: uniqueKeys([{ name: 'digest', algorithm: 'sha256', digest }, ...signers]) };
}

async function signedBy({ algorithm }: EntryVerifier, message: Uint8Array): Promise<SignatureCheck['signed']> {
  return algorithm.scheme === 'ed25519' ? { message } : { digest: await digestOf(algorithm.hash, message) };
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
