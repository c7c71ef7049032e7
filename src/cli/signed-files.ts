/** What a signer has in files: an artifact or an envelope, a signature, a key or a certificate; as rekor-cli takes them. */

import { createHash } from 'node:crypto';
import {
  type HashName,
  hashSignedBy,
  keyDetailsOf,
  type PublicKey,
  parseCertificate,
  parsePublicKey,
  preAuthenticationEncoding,
} from '../entry/index.ts';
import { isSteleError, SteleError } from '../errors.ts';
import { readInput, readStream } from './files.ts';

/** A key or a certificate is a few kilobytes, a signature less; an envelope has what a server may take. */
const MAX_KEY_BYTES = 64 * 2 ** 10;
const MAX_ENVELOPE_BYTES = 16 * 2 ** 20;

export const SIGNED_FILE_OPTIONS = {
  artifact: { describe: 'the file that was signed', type: 'string', requiresArg: true },
  'artifact-hash': { describe: 'its digest instead, in hex, such as sha256:…', type: 'string', requiresArg: true },
  envelope: { describe: 'a signed DSSE envelope (JSON) instead of an artifact', type: 'string', requiresArg: true },
  signature: { describe: 'the signature, as it is or in base64', type: 'string', requiresArg: true },
  'public-key': { describe: "the signer's public key or certificate, PEM or DER", type: 'string', requiresArg: true },
  'pki-format': { describe: 'the format of keys', choices: ['x509'], default: 'x509', requiresArg: true },
} as const;

export interface SignedFiles {
  readonly artifact: string | undefined;
  readonly 'artifact-hash': string | undefined;
  readonly envelope: string | undefined;
  readonly signature: string | undefined;
  readonly 'public-key': string | undefined;
}

/** The signer's key as a request has it, and what it is. */
export interface SignerKey {
  readonly key: PublicKey;
  /** DER. */
  readonly rawBytes: Uint8Array;
  readonly field: 'publicKey' | 'x509Certificate';
}

export interface Envelope {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  readonly signatures: readonly { readonly sig: string; readonly keyid?: string }[];
}

/** Reads a key or the first certificate of a chain, PEM or DER. Throws `config`. */
export async function readSignerKey(path: string, stdin: NodeJS.ReadableStream): Promise<SignerKey> {
  const bytes = Buffer.from(await readInput(path, stdin, MAX_KEY_BYTES));
  const [, label, body = ''] = /-----BEGIN ([A-Z ]+)-----([\s\S]*?)-----END \1-----/.exec(bytes.toString()) ?? [];
  const rawBytes = label === undefined ? bytes : Buffer.from(body, 'base64');
  if (label !== undefined && label !== 'CERTIFICATE' && label !== 'PUBLIC KEY') {
    throw new SteleError('config', `${path} is a PEM file with a ${label}: a PUBLIC KEY or a CERTIFICATE is needed`);
  }
  const asCertificate = (): SignerKey => {
    const { spki } = parseCertificate(rawBytes, path);
    return { key: parsePublicKey(spki, path), rawBytes, field: 'x509Certificate' };
  };
  const asKey = (): SignerKey => ({ key: parsePublicKey(rawBytes, path), rawBytes, field: 'publicKey' });
  try {
    if (label !== undefined) return label === 'CERTIFICATE' ? asCertificate() : asKey();
    return isCertificate(rawBytes, path) ? asCertificate() : asKey();
  } catch (cause) {
    if (!isSteleError(cause)) throw cause;
    throw new SteleError('config', cause.message, { cause });
  }
}

function isCertificate(rawBytes: Uint8Array, path: string): boolean {
  try {
    parseCertificate(rawBytes, path);
    return true;
  } catch (error) {
    if (isSteleError(error)) return false;
    throw error;
  }
}

/** A signature, as cosign prints it (base64) or openssl writes it. Throws `config`. */
export async function readSignature(path: string, stdin: NodeJS.ReadableStream): Promise<Uint8Array> {
  const bytes = Buffer.from(await readInput(path, stdin, MAX_KEY_BYTES));
  const text = bytes.toString('latin1').trim();
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0) return Buffer.from(text, 'base64');
  if (bytes.length === 0) throw new SteleError('config', `${path} is empty: a signature is needed`);
  return bytes;
}

/** An envelope, github.com/secure-systems-lab/dsse. Throws `config`. */
export async function readEnvelope(path: string, stdin: NodeJS.ReadableStream): Promise<Envelope> {
  const bytes = Buffer.from(await readInput(path, stdin, MAX_ENVELOPE_BYTES));
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new SteleError('config', `${path} is not JSON: ${String(cause)}`, { cause });
  }
  const { payload, payloadType, signatures } = (value ?? {}) as Record<string, unknown>;
  if (typeof payload !== 'string' || typeof payloadType !== 'string' || !Array.isArray(signatures)) {
    throw new SteleError('config', `${path} is no DSSE envelope: it has payload, payloadType and signatures`);
  }
  return { payload: Buffer.from(payload, 'base64'), payloadType, signatures };
}

/** The digest of what was signed, by the hash that `key` signs with. Throws `config`. */
export async function digestSigned(
  files: SignedFiles,
  key: PublicKey,
  stdin: NodeJS.ReadableStream,
): Promise<Uint8Array> {
  const hash = hashSignedBy(key);
  const { artifact, 'artifact-hash': given, envelope } = files;
  if ([artifact, given, envelope].filter((one) => one !== undefined).length !== 1) {
    throw new SteleError('config', 'give one of --artifact, --artifact-hash and --envelope');
  }
  if (given !== undefined) return parseDigest(given, hash);
  if (artifact !== undefined) return digestOfFile(artifact, hash, stdin);
  const { payloadType, payload } = await readEnvelope(envelope ?? '', stdin);
  return createHash(hash).update(preAuthenticationEncoding(payloadType, payload)).digest();
}

export async function digestOfFile(path: string, hash: HashName, stdin: NodeJS.ReadableStream): Promise<Uint8Array> {
  const hasher = createHash(hash);
  for await (const chunk of readStream(path, stdin)) hasher.update(chunk);
  return hasher.digest();
}

function parseDigest(text: string, hash: HashName): Uint8Array {
  const [, algorithm = hash, hex = ''] = /^(?:(sha\d+):)?((?:[0-9a-fA-F]{2})+)$/.exec(text) ?? [];
  const digest = Buffer.from(hex, 'hex');
  if (algorithm === hash && digest.length === createHash(hash).digest().length) return digest;
  throw new SteleError('config', `--artifact-hash: this key signs digests by ${hash}, in hex; got "${text}"`);
}

/** The verifier of a request. */
export function verifierJson({ key, rawBytes, field }: SignerKey): object {
  return { [field]: { rawBytes: Buffer.from(rawBytes).toString('base64') }, keyDetails: keyDetailsOf(key) };
}
