/**
 * Which keys sign with which hash: `keyDetails` of the protocol, and what Rekor v2 permits of it.
 *
 * As upstream, only the hash is taken from the label, and the key has to be one that signs with that hash: sigstore-js
 * labels every key PKIX_ECDSA_P256_SHA_256, RSA keys too.
 */

import type { PublicKey } from './public-key.ts';

export type HashName = 'sha256' | 'sha384' | 'sha512';

/** Names in log entries (dev.sigstore.common.v1.HashAlgorithm), and bytes of a digest. */
export const HASHES: Readonly<Record<HashName, { readonly protoName: string; readonly size: number }>> = {
  sha256: { protoName: 'SHA2_256', size: 32 },
  sha384: { protoName: 'SHA2_384', size: 48 },
  sha512: { protoName: 'SHA2_512', size: 64 },
};

/** dev.sigstore.common.v1.PublicKeyDetails: those that this log takes, with their numbers. */
export const KEY_DETAILS = {
  PKIX_ECDSA_P256_SHA_256: 5,
  PKIX_ED25519: 7,
  PKIX_ED25519_PH: 8,
  PKIX_RSA_PKCS1V15_2048_SHA256: 9,
  PKIX_RSA_PKCS1V15_3072_SHA256: 10,
  PKIX_RSA_PKCS1V15_4096_SHA256: 11,
  PKIX_ECDSA_P384_SHA_384: 12,
  PKIX_ECDSA_P521_SHA_512: 13,
} as const;

export type KeyDetails = keyof typeof KEY_DETAILS;

/** How a signature is made over a digest, or, with pure Ed25519, over the message itself. */
export type SigningAlgorithm =
  | { readonly scheme: 'ecdsa' | 'rsa-pkcs1v15' | 'ed25519ph'; readonly hash: HashName }
  | { readonly scheme: 'ed25519' };

/** What a key under this label signs with, or undefined when the two do not go together. */
export function signingAlgorithm(details: KeyDetails, key: PublicKey): SigningAlgorithm | undefined {
  const hash = hashOf(details);
  if (hash === undefined) return key.type === 'ed25519' ? { scheme: 'ed25519' } : undefined;
  const own = ownAlgorithm(key);
  return own.hash === hash ? own : undefined;
}

/** The label that a key's signatures over digests go under. */
export function keyDetailsOf(key: PublicKey): KeyDetails {
  switch (key.type) {
    case 'ed25519':
      return 'PKIX_ED25519_PH';
    case 'rsa':
      return `PKIX_RSA_PKCS1V15_${key.bits}_SHA256`;
    case 'ecdsa':
      return key.curve === 'P-256'
        ? 'PKIX_ECDSA_P256_SHA_256'
        : key.curve === 'P-384'
          ? 'PKIX_ECDSA_P384_SHA_384'
          : 'PKIX_ECDSA_P521_SHA_512';
  }
}

/** The hash of the digests that a key signs. */
export function hashSignedBy(key: PublicKey): HashName {
  return ownAlgorithm(key).hash;
}

function hashOf(details: KeyDetails): HashName | undefined {
  switch (details) {
    case 'PKIX_ED25519':
      return undefined;
    case 'PKIX_ECDSA_P384_SHA_384':
      return 'sha384';
    case 'PKIX_ECDSA_P521_SHA_512':
    case 'PKIX_ED25519_PH':
      return 'sha512';
    case 'PKIX_ECDSA_P256_SHA_256':
    case 'PKIX_RSA_PKCS1V15_2048_SHA256':
    case 'PKIX_RSA_PKCS1V15_3072_SHA256':
    case 'PKIX_RSA_PKCS1V15_4096_SHA256':
      return 'sha256';
  }
}

function ownAlgorithm(key: PublicKey): SigningAlgorithm & { readonly hash: HashName } {
  switch (key.type) {
    case 'rsa':
      return { scheme: 'rsa-pkcs1v15', hash: 'sha256' };
    case 'ed25519':
      return { scheme: 'ed25519ph', hash: 'sha512' };
    case 'ecdsa':
      return { scheme: 'ecdsa', hash: key.curve === 'P-256' ? 'sha256' : key.curve === 'P-384' ? 'sha384' : 'sha512' };
  }
}
