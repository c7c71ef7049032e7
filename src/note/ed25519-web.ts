/** Ed25519 outside Node: tweetnacl, behind the checks that it leaves out. */

import nacl from 'tweetnacl';
import { isCanonical } from './ed25519-canonical.ts';

export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return nacl.sign.keyPair.fromSeed(seed).publicKey;
}

/** A function that signs with this seed: 64 bytes a signature. */
export function signerOf(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  const { secretKey } = nacl.sign.keyPair.fromSeed(seed);
  return (message) => nacl.sign.detached(message, secretKey);
}

/** A function that verifies against this public key; it never throws. */
export function verifierOf(publicKey: Uint8Array): (message: Uint8Array, signature: Uint8Array) => boolean {
  return (message, signature) =>
    isCanonical(publicKey, signature) && nacl.sign.detached.verify(message, signature, publicKey);
}
