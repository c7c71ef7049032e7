/** Bare public keys: SubjectPublicKeyInfo in DER. */

import type { KeyFormat } from './format.ts';
import { spkiKey } from './lookup.ts';
import { refusePem } from './pem.ts';
import { parsePublicKey } from './public-key.ts';

export const publicKeyFormat: KeyFormat = {
  field: 'publicKey',
  read(rawBytes, what) {
    refusePem(rawBytes, what);
    const key = parsePublicKey(rawBytes, what);
    return { key, keys: [spkiKey(key.spki)] };
  },
};
