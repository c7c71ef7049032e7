/** Whether a logged entry is about what a person has in files: every file that is named has to fit. */

import { createHash } from 'node:crypto';
import { type LoggedEntry, preAuthenticationEncoding, verifySignature } from '../entry/index.ts';
import { SteleError } from '../errors.ts';
import { equalBytes } from '../merkle/index.ts';
import { MAX_ENTRY_SIZE } from '../tiles/index.ts';
import { readInput } from './files.ts';
import { digestOfFile, readEnvelope, readSignature, readSignerKey, type SignedFiles } from './signed-files.ts';

/** Throws `invalid-proof` naming what does not fit. `entry`: undefined for bytes of any kind, `body`. */
export async function matchFiles(
  entry: LoggedEntry | undefined,
  body: Uint8Array,
  files: SignedFiles,
  stdin: NodeJS.ReadableStream,
): Promise<void> {
  const { artifact, 'artifact-hash': hash, envelope, signature, 'public-key': publicKey } = files;
  if (entry === undefined) {
    const others = [hash, envelope, signature, publicKey].some((one) => one !== undefined);
    if (others) throw mismatch('is raw bytes: only --artifact can be compared with it');
    if (artifact !== undefined && !equalBytes(await readInput(artifact, stdin, MAX_ENTRY_SIZE), body)) {
      throw mismatch(`is not ${artifact}`);
    }
    return;
  }
  if (publicKey !== undefined) await matchKey(entry, publicKey, stdin);
  if (signature !== undefined) {
    const bytes = await readSignature(signature, stdin);
    if (!entry.signatures.some((one) => equalBytes(one.bytes, bytes)))
      throw mismatch(`has not the signature in ${signature}`);
  }
  if (artifact !== undefined) {
    const digest = await digestOfFile(artifact, entry.digest.hash, stdin);
    if (!equalBytes(digest, entry.digest.bytes)) throw mismatch(`is not about ${artifact}`);
  }
  if (hash !== undefined) {
    const hex = Buffer.from(entry.digest.bytes).toString('hex');
    if (![hex, `${entry.digest.hash}:${hex}`].includes(hash.toLowerCase())) throw mismatch(`is not about ${hash}`);
  }
  if (envelope !== undefined) await matchEnvelope(entry, envelope, stdin);
}

/** A key fits a certificate that is for it. */
async function matchKey(entry: LoggedEntry, path: string, stdin: NodeJS.ReadableStream): Promise<void> {
  const { key, rawBytes, field } = await readSignerKey(path, stdin);
  const base64 = Buffer.from(rawBytes).toString('base64');
  const fits = entry.signatures.some(({ verifier }) =>
    field === 'x509Certificate' ? verifier.rawBytes === base64 : equalBytes(verifier.key.spki, key.spki),
  );
  if (!fits) throw mismatch(`was not signed with the key in ${path}`);
}

/** All that the envelope says: what it carries, and each signature over it, which the log alone cannot check. */
async function matchEnvelope(entry: LoggedEntry, path: string, stdin: NodeJS.ReadableStream): Promise<void> {
  const { payload, payloadType } = await readEnvelope(path, stdin);
  const encoded = preAuthenticationEncoding(payloadType, payload);
  const { hash, bytes } = entry.digest;
  const covered = entry.signsDigest ? encoded : payload;
  if (!equalBytes(createHash(hash).update(covered).digest(), bytes)) throw mismatch(`is not about ${path}`);
  for (const { verifier, bytes: signature } of entry.signatures) {
    const { key, algorithm } = verifier;
    const signed =
      algorithm.scheme === 'ed25519'
        ? { message: encoded }
        : { digest: createHash(algorithm.hash).update(encoded).digest() };
    if (!verifySignature({ key, signed, signature })) throw mismatch(`has a signature that is not over ${path}`);
  }
}

function mismatch(what: string): SteleError {
  return new SteleError('invalid-proof', `the entry ${what}`);
}
