/** X.509 certificates in DER: the signer's own, without its chain. */

import { isReadableCertificate } from '#certificate';
import { SteleError } from '../errors.ts';
import { parseCertificate } from './certificate.ts';
import type { KeyFormat } from './format.ts';
import { spkiKey } from './lookup.ts';
import { refusePem } from './pem.ts';
import { parsePublicKey } from './public-key.ts';

export const certificateFormat: KeyFormat = {
  field: 'x509Certificate',
  read(rawBytes, what) {
    refusePem(rawBytes, what);
    const { spki, keys } = parseCertificate(rawBytes, what);
    const key = parsePublicKey(spki, `the key of ${what}`);
    if (!isReadableCertificate(rawBytes, spki)) {
      throw new SteleError('malformed', `${what} has the outline of a certificate, but OpenSSL cannot read it`);
    }
    return { key, keys: [spkiKey(spki), ...keys] };
  },
};
