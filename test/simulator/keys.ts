/** Keys that sign in a microsecond: a keyed hash behind the program's own Signer and Verifier. */

import { hash } from 'node:crypto';
import type { Signer, Verifier } from '../../src/note/index.ts';

export const ORIGIN = 'log.example/simulated';

function keyOf(name: string, keyId: number): { signer: Signer; verifier: Verifier } {
  const signature = (text: Uint8Array): Buffer =>
    hash('sha256', Buffer.concat([Buffer.from(name), text]), 'buffer').subarray(0, 8);
  const vkey = `${name}+${keyId.toString(16).padStart(8, '0')}+simulated`;
  return {
    signer: { name, keyId, verifierKey: vkey, sign: async (text) => new Uint8Array(signature(text)) },
    verifier: { name, keyId, type: 1, vkey, verify: (text, given) => signature(text).equals(given) },
  };
}

export const { signer: logSigner, verifier: logVerifier } = keyOf(ORIGIN, 1);
export const witnesses = [keyOf('witness.example/a', 2).signer, keyOf('witness.example/b', 3).signer] as const;
