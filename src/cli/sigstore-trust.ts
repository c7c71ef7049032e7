/** What sigstore's clients are told of a log: the keys to trust (TrustedRoot), and where to write (SigningConfig). */

import { z } from 'zod';
import { keyDetailsOf, parsePublicKey } from '../entry/index.ts';
import { SteleError } from '../errors.ts';
import { logIdOf, subjectPublicKeyInfo, type Verifier } from '../note/index.ts';
import { readJsonFile } from './files.ts';

/** Every client that was tried reads these versions. */
const TRUSTED_ROOT = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1';
const SIGNING_CONFIG = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';

const list = z.array(z.unknown()).default([]);
const trustedRoot = z.looseObject({
  mediaType: z.string(),
  tlogs: list,
  certificateAuthorities: list,
  ctlogs: list,
  timestampAuthorities: list,
});
const signingConfig = z.looseObject({
  mediaType: z.string(),
  caUrls: list,
  oidcUrls: list,
  rekorTlogUrls: list,
  rekorTlogConfig: z.unknown().optional(),
  tsaUrls: list,
});

/**
 * The keys of `logs` as a TrustedRoot, after those in the file `base`. The base URL of a log has to contain its origin, whatever URL
 * serves it: sigstore-js looks for the one in the other.
 */
export async function trustedRootJson(
  logs: readonly Verifier[],
  start: string,
  base: string | undefined,
): Promise<unknown> {
  const root = await readBase(trustedRoot, base, TRUSTED_ROOT);
  const tlogs = logs.map((log) => ({
    baseUrl: `https://${log.name}`,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: base64(subjectPublicKeyInfo(log)), keyDetails: labelOf(log), validFor: { start } },
    logId: { keyId: base64(logIdOf(log)) },
  }));
  return { ...root, tlogs: [...root.tlogs, ...tlogs] };
}

/** A SigningConfig that names the servers at `urls`, instead of the logs in the file `base`. */
export async function signingConfigJson(
  urls: readonly string[],
  operator: string,
  start: string,
  base: string | undefined,
): Promise<unknown> {
  const config = await readBase(signingConfig, base, SIGNING_CONFIG);
  const rekorTlogUrls = urls.map((url) => ({
    // With a slash at its end, sigstore-js asks for //api/v2/log/entries.
    url: url.replace(/\/+$/, ''),
    majorApiVersion: 2,
    validFor: { start },
    operator,
  }));
  return { ...config, rekorTlogUrls, rekorTlogConfig: { selector: 'ANY' } };
}

/** What the file has, an empty one of the kind unless there is a file. Throws `config`. */
async function readBase<T>(schema: z.ZodType<T>, base: string | undefined, mediaType: string): Promise<T> {
  const parsed = schema.safeParse(base === undefined ? { mediaType } : await readJsonFile(base));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SteleError('config', `${base}: ${issue?.path.join('.') || 'value'}: ${issue?.message}`);
}

/** Whether an origin is what sigstore-go takes it to be: the host of the log's URL. */
export function isHostName(origin: string): boolean {
  return URL.canParse(`https://${origin}`) && new URL(`https://${origin}`).hostname === origin;
}

/** Throws `config` for what is not a moment, as clients read it (RFC 3339 in UTC). */
export function checkMoment(flag: string, text: string): string {
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw new SteleError('config', `${flag}: expected a moment in UTC, such as 2026-01-31T00:00:00Z, got "${text}"`);
}

/** The label of a key that signs notes. Of ECDSA it says the curve; notes are always hashed with SHA-256, as clients know. */
function labelOf(log: Verifier): string {
  if (log.type === 1) return 'PKIX_ED25519';
  if (log.type === 2) return keyDetailsOf(parsePublicKey(subjectPublicKeyInfo(log), `the key of ${log.name}`));
  throw new SteleError('config', `the key of ${log.name} is of type ${log.type}, which sigstore's clients do not have`);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
