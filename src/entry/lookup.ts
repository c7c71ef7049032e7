/**
 * What an entry can be found by: the keys of the lookup index, before they are hashed. They are a function of the
 * entry's bytes alone, so that anyone can check an index against the log.
 */

import { sha256 } from '../merkle/index.ts';
import type { HashName } from './algorithms.ts';

export type LookupKey =
  | { readonly name: 'digest'; readonly algorithm: HashName; readonly digest: Uint8Array }
  /** SHA-256 of the DER SubjectPublicKeyInfo, of a bare key or a certificate's. */
  | { readonly name: 'spki'; readonly sha256: Uint8Array }
  /** A certificate's name, folded. */
  | { readonly name: 'san'; readonly type: 'email' | 'uri' | 'dns' | 'other'; readonly value: string }
  | { readonly name: 'san'; readonly type: 'ip'; readonly value: Uint8Array }
  /** The OpenID Connect issuer that vouched for the certificate's holder, folded. */
  | { readonly name: 'issuer'; readonly value: string }
  /** The source repository's URI, folded. */
  | { readonly name: 'repo'; readonly value: string }
  /** This entry could not be mapped with certainty: it is a candidate for every question. */
  | { readonly name: 'wildcard' };

export const WILDCARD: LookupKey = { name: 'wildcard' };

export function spkiKey(spki: Uint8Array): LookupKey {
  return { name: 'spki', sha256: sha256(spki) };
}

/** ASCII letters to lower case and nothing else: no locale, no Unicode. */
export function fold(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Keys that one entry may have, beside its leaf hash (lookup index, map function 1). */
const MAX_KEYS = 511;

/** The keys without repetition; the wildcard alone where one of them is it, or where there are more than 511. */
export function uniqueKeys(keys: readonly LookupKey[]): LookupKey[] {
  if (keys.some(({ name }) => name === 'wildcard')) return [WILDCARD];
  const byContent = new Map(keys.map((key) => [JSON.stringify(Object.values(key).map(comparable)), key]));
  return byContent.size > MAX_KEYS ? [WILDCARD] : [...byContent.values()];
}

function comparable(value: string | Uint8Array): string {
  return typeof value === 'string' ? value : value.toString();
}
