/**
 * Public keys in DER (SubjectPublicKeyInfo, RFC 5280 §4.1.2.7), each in its one encoding: compressed points, absent
 * NULLs and the like are refused, for a key that has two encodings can sign under a name that its owner does not watch.
 */

import { SteleError } from '../errors.ts';
import { CURVES, type CurveName, coordinatesOf, isOnCurve } from './curves.ts';
import { type Element, expectTag, readElement, readElements, readSequence, readUnsigned, TAG, toHex } from './der.ts';

/** Plain data: it goes to other threads as it is. */
export type PublicKey = (
  | { readonly type: 'ecdsa'; readonly curve: CurveName /** 04 ‖ x ‖ y, on the curve. */; readonly point: Uint8Array }
  | { readonly type: 'rsa'; readonly bits: RsaBits; readonly modulus: bigint; readonly exponent: bigint }
  | { readonly type: 'ed25519'; readonly bytes: Uint8Array }
) & { readonly spki: Uint8Array };

export type RsaBits = 2048 | 3072 | 4096;

const RSA_BITS: readonly RsaBits[] = [2048, 3072, 4096];
/** As crypto/rsa of Go; with 1 every padding would be a signature of itself. */
const MIN_EXPONENT = 3n;
const MAX_EXPONENT = 2n ** 31n - 1n;
const ED25519_BYTES = 32;

const OID_EC = '2a8648ce3d0201';
const OID_RSA = '2a864886f70d010101';
const OID_ED25519 = '2b6570';
const CURVE_OIDS: ReadonlyMap<string, CurveName> = new Map([
  ['2a8648ce3d030107', 'P-256'],
  ['2b81040022', 'P-384'],
  ['2b81040023', 'P-521'],
]);

/** Throws `malformed`, naming `what`, for anything that is not a key of a supported kind in its one encoding. */
export function parsePublicKey(encoded: Uint8Array, what: string): PublicKey {
  const spki = encoded.slice(); // of a certificate, maybe, which need not follow the key to another thread
  const [algorithm, bits, ...more] = readSequence(spki, what);
  const [identifier, parameters, ...rest] = readElements(expectTag(algorithm, TAG.sequence, what).content, what);
  const key = expectTag(bits, TAG.bitString, what).content;
  if (more.length + rest.length > 0 || key[0] !== 0) return refuse(what, 'it is not a SubjectPublicKeyInfo');
  const oid = toHex(expectTag(identifier, TAG.objectIdentifier, what).content);
  const bytes = key.subarray(1);
  if (oid === OID_EC) return { ...ecdsaKey(parameters, bytes, what), spki };
  if (oid === OID_RSA) return { ...rsaKey(parameters, bytes, what), spki };
  if (oid !== OID_ED25519) return refuse(what, 'it is neither an ECDSA, nor an RSA, nor an Ed25519 key');
  if (parameters !== undefined || bytes.length !== ED25519_BYTES) {
    return refuse(what, `an Ed25519 key has ${ED25519_BYTES} bytes and no parameters`);
  }
  return { type: 'ed25519', bytes, spki };
}

function ecdsaKey(
  parameters: Element | undefined,
  point: Uint8Array,
  what: string,
): { type: 'ecdsa'; curve: CurveName; point: Uint8Array } {
  const curve = CURVE_OIDS.get(toHex(expectTag(parameters, TAG.objectIdentifier, what).content));
  if (curve === undefined) return refuse(what, 'its curve is none of P-256, P-384 and P-521');
  const coordinates = coordinatesOf(CURVES[curve], point);
  if (coordinates === undefined || !isOnCurve(CURVES[curve], coordinates)) {
    return refuse(what, `it is no point on ${curve} in uncompressed form`);
  }
  return { type: 'ecdsa', curve, point };
}

function rsaKey(
  parameters: Element | undefined,
  key: Uint8Array,
  what: string,
): { type: 'rsa'; bits: RsaBits; modulus: bigint; exponent: bigint } {
  if (expectTag(parameters, TAG.null, what).content.length > 0) return refuse(what, 'its NULL is not empty');
  const [first, second, ...more] = readElements(readElement(key, TAG.sequence, what).content, what);
  const modulus = readUnsigned(first, what);
  const exponent = readUnsigned(second, what);
  const length = modulus.toString(2).length;
  const bits = RSA_BITS.find((one) => one === length);
  if (more.length > 0) return refuse(what, 'it is not an RSA key');
  if (bits === undefined) {
    return refuse(what, `it is an RSA key of ${length} bits, and this log takes ${RSA_BITS.join(', ')}`);
  }
  if (modulus % 2n === 0n || exponent % 2n === 0n || exponent < MIN_EXPONENT || exponent > MAX_EXPONENT) {
    return refuse(what, 'its RSA modulus or exponent is no such number: both are odd, and the exponent 3 to 2^31-1');
  }
  return { type: 'rsa', bits, modulus, exponent };
}

function refuse(what: string, why: string): never {
  throw new SteleError('malformed', `${what} is no public key that this log takes: ${why}`);
}
