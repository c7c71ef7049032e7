/** Makes certificates: signed by a throwaway key, with any extensions. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { der, explicit, hex, integer, oid, sequence, text } from './der-writer.ts';

const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

export const ALTERNATIVE_NAMES = '2.5.29.17';
export const FULCIO = '1.3.6.1.4.1.57264.1';

export const email = (value: string): Uint8Array => text(0x81, value);
export const dns = (value: string): Uint8Array => text(0x82, value);
export const uri = (value: string): Uint8Array => text(0x86, value);
export const ip = (...bytes: number[]): Uint8Array => der(0x87, Uint8Array.from(bytes));
export const otherName = (type: string, value: string): Uint8Array =>
  explicit(0, oid(type), explicit(0, text(0x0c, value)));

export function extension(id: string, value: Uint8Array): Uint8Array {
  return sequence(oid(id), der(0x04, value));
}

/** Each argument one extension; with none, a certificate of version 1. */
export function certificateOf(publicKey: KeyObject, ...extensions: Uint8Array[]): Uint8Array {
  return certificateAround(publicKey.export({ format: 'der', type: 'spki' }), ...extensions);
}

export function certificateAround(spki: Uint8Array, ...extensions: Uint8Array[]): Uint8Array {
  const name = sequence(der(0x31, sequence(oid('2.5.4.3'), text(0x0c, 'test'))));
  const tbs = sequence(
    ...(extensions.length > 0 ? [explicit(0, integer(2n))] : []),
    integer(4711n),
    ECDSA_WITH_SHA256,
    name,
    sequence(text(0x17, '250101000000Z'), text(0x17, '250101001000Z')),
    name,
    spki,
    ...(extensions.length > 0 ? [explicit(3, sequence(...extensions))] : []),
  );
  const signature = sign('sha256', tbs, issuer);
  return sequence(tbs, ECDSA_WITH_SHA256, der(0x03, hex('00'), signature));
}
