/** In Node: whether OpenSSL, too, reads these bytes as one certificate, and finds the key that we found. */

import { X509Certificate } from 'node:crypto';

/** False as well for a certificate in PEM, which the constructor takes, and for bytes behind its end. */
export function isReadableCertificate(der: Uint8Array, spki: Uint8Array): boolean {
  try {
    const certificate = new X509Certificate(der);
    return certificate.raw.equals(der) && certificate.publicKey.export({ format: 'der', type: 'spki' }).equals(spki);
  } catch {
    return false;
  }
}
