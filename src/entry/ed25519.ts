/**
 * Ed25519 and Ed25519ph (RFC 8032) by @noble/curves, the same on every platform: Node's own has no Ed25519ph. Strict:
 * S below the group's order, no small-order keys, canonical encodings. About 540 a second.
 */

import { eddsa } from '@noble/curves/abstract/edwards.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';

/** dom2(1, ""): RFC 8032 §5.1, with the flag for pre-hashing and an empty context. */
const DOM2 = new TextEncoder().encode('SigEd25519 no Ed25519 collisions\u0001\u0000');

/** Ed25519ph without its hash: it is handed SHA-512 of the message, for nobody has the message. */
const overDigest = eddsa(ed25519.Point, sha512, {
  domain: (data: Uint8Array) => Uint8Array.from([...DOM2, ...data]),
});

export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(ed25519, publicKey, message, signature);
}

export function verifyEd25519ph(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  return digest.length === sha512.outputLen && verify(overDigest, publicKey, digest, signature);
}

function verify(
  scheme: Pick<typeof ed25519, 'verify'>,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return scheme.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false; // lengths and encodings
  }
}
