/** Makes proposals and the signers for them, and reads those of the vectors. */

import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ed25519ph } from '@noble/curves/ed25519.js';
import {
  type ProposalOptions,
  parseProposal,
  type ValidEntry,
  validate,
  verifySignature,
} from '../../src/entry/index.ts';

/** Any JSON that a test may want to send. */
export type Sendable = { [name: string]: unknown };

export interface TestSigner {
  readonly keyDetails: string;
  readonly hash: string;
  readonly publicKey: KeyObject;
  sign(message: Uint8Array): Uint8Array;
}

function ecSigner(namedCurve: string, hash: string, keyDetails: string): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  return { keyDetails, hash, publicKey, sign: (message) => sign(hash, message, privateKey) };
}

function rsaSigner(bits: number): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const keyDetails = `PKIX_RSA_PKCS1V15_${bits}_SHA256`;
  return { keyDetails, hash: 'sha256', publicKey, sign: (message) => sign('sha256', message, privateKey) };
}

function ed25519phSigner(): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  return { keyDetails: 'PKIX_ED25519_PH', hash: 'sha512', publicKey, sign: (message) => ed25519ph.sign(message, seed) };
}

export function ed25519Signer(): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { keyDetails: 'PKIX_ED25519', hash: 'sha512', publicKey, sign: (message) => sign(null, message, privateKey) };
}

const made = new Map<string, TestSigner>();

/** Made on first use: RSA keys take a second. */
function once(name: string, make: () => TestSigner): TestSigner {
  const signer = made.get(name) ?? make();
  made.set(name, signer);
  return signer;
}

/** One of every kind that Rekor v2 takes. */
export const SIGNERS = {
  get p256() {
    return once('p256', () => ecSigner('P-256', 'sha256', 'PKIX_ECDSA_P256_SHA_256'));
  },
  get p384() {
    return once('p384', () => ecSigner('P-384', 'sha384', 'PKIX_ECDSA_P384_SHA_384'));
  },
  get p521() {
    return once('p521', () => ecSigner('P-521', 'sha512', 'PKIX_ECDSA_P521_SHA_512'));
  },
  get rsa2048() {
    return once('rsa2048', () => rsaSigner(2048));
  },
  get rsa3072() {
    return once('rsa3072', () => rsaSigner(3072));
  },
  get rsa4096() {
    return once('rsa4096', () => rsaSigner(4096));
  },
  get ed25519ph() {
    return once('ed25519ph', ed25519phSigner);
  },
};

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const spkiOf = (signer: TestSigner): Uint8Array => signer.publicKey.export({ format: 'der', type: 'spki' });
export const digest = (hash: string, message: Uint8Array): Uint8Array => createHash(hash).update(message).digest();

export function verifierOf(signer: TestSigner, certificate?: Uint8Array): Sendable {
  const { keyDetails } = signer;
  return certificate === undefined
    ? { publicKey: { rawBytes: base64(spkiOf(signer)) }, keyDetails }
    : { x509Certificate: { rawBytes: base64(certificate) }, keyDetails };
}

export function hashedRekord(signer: TestSigner, message: Uint8Array, verifier = verifierOf(signer)): Sendable {
  const signature = { content: base64(signer.sign(message)), verifier };
  return { hashedRekordRequestV002: { digest: base64(digest(signer.hash, message)), signature } };
}

export function pae(type: string, payload: Uint8Array): Uint8Array {
  return Buffer.concat([utf8(`DSSEv1 ${utf8(type).length} ${type} ${payload.length} `), payload]);
}

export function dsseRequest(payload: Uint8Array, ...signers: readonly TestSigner[]): Sendable {
  const payloadType = 'application/vnd.in-toto+json';
  const signatures = signers.map((signer) => ({ sig: base64(signer.sign(pae(payloadType, payload))), keyid: '' }));
  const envelope = { payload: base64(payload), payloadType, signatures };
  return { dsseRequestV002: { envelope, verifiers: signers.map((signer) => verifierOf(signer)) } };
}

export const ALL_KINDS: Partial<ProposalOptions> = { kinds: ['hashedrekord', 'dsse', 'raw'] };

/** What the server will do with a request: JSON as text, bytes, or a value. */
export async function accept(request: string | Uint8Array | Sendable, options = ALL_KINDS): Promise<ValidEntry> {
  const bytes =
    request instanceof Uint8Array ? request : utf8(typeof request === 'string' ? request : JSON.stringify(request));
  return validate(parseProposal(bytes, options), verifySignature);
}

/** The entry's body as text. */
export async function bodyOf(request: string | Uint8Array | Sendable, options = ALL_KINDS): Promise<string> {
  return new TextDecoder().decode((await accept(request, options)).body);
}

/** tiles-spec/vectors/proposals.json. */
export interface ProposalVectors {
  readonly cases: readonly {
    readonly id: string;
    readonly rule: string;
    readonly request: { readonly utf8: string } | { readonly base64: string };
    /** The entry that it becomes; absent: it is refused. */
    readonly entry?: string;
    /** A part of what is said of one that is refused. */
    readonly says?: string;
    /** Why Rekor takes what is refused here, or refuses what is taken. */
    readonly differs?: string;
  }[];
  readonly entries: Readonly<
    Record<string, { kind: string; apiVersion: string; body: string; bytes: number; leafHash: string; dedupId: string }>
  >;
  readonly labelNumbers: Readonly<Record<string, number>>;
  readonly labels: readonly { key: string; entry: string; accepted: readonly string[] }[];
}

export const PROPOSALS = JSON.parse(
  readFileSync(new URL('../../tiles-spec/vectors/proposals.json', import.meta.url), 'utf8'),
) as ProposalVectors;

export function requestOf(request: ProposalVectors['cases'][number]['request']): Uint8Array {
  return 'utf8' in request ? utf8(request.utf8) : Uint8Array.from(Buffer.from(request.base64, 'base64'));
}
