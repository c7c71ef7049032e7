/** A log's key as Rekor's clients know it: the whole hash of the key, and the key in its own format. */

import { sha256 } from '../merkle/index.ts';
import { utf8 } from './encoding.ts';
import { ECDSA, keyBytesOf, type Verifier } from './keys.ts';

/** Before the 32 bytes of an Ed25519 key: SubjectPublicKeyInfo of RFC 8410 §4. */
const ED25519_SPKI = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/**
 * The 32 bytes of which a key id is the first four; `logId.keyId` of a TransparencyLogEntry. SHA-256 over name, LF, type
 * and key; for ECDSA keys over the SubjectPublicKeyInfo alone.
 */
export function logIdOf(verifier: Verifier): Uint8Array {
  const bytes = keyBytesOf(verifier);
  if (verifier.type === ECDSA) return sha256(bytes.subarray(1));
  return sha256(Uint8Array.from([...utf8(`${verifier.name}\n`), ...bytes]));
}

/** The public key as a DER SubjectPublicKeyInfo. */
export function subjectPublicKeyInfo(verifier: Verifier): Uint8Array {
  const key = keyBytesOf(verifier).subarray(1);
  return verifier.type === ECDSA ? key : Uint8Array.from([...ED25519_SPKI, ...key]);
}
