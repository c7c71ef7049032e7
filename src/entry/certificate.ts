/**
 * X.509 certificates (RFC 5280): the key, and the names that the lookup index knows, Fulcio's extensions among them.
 *
 * Only the parts named here are read. Nobody's chain, validity or usage is checked: a log records what was signed, and
 * whether the signer was entitled to is for the verifier, at a time that the verifier trusts.
 */

import { SteleError } from '../errors.ts';
import { type Element, expectTag, readElement, readElements, readSequence, TAG, toHex } from './der.ts';
import { fold, type LookupKey, WILDCARD } from './lookup.ts';

export interface Certificate {
  readonly spki: Uint8Array;
  /** Names, issuer and repository; the wildcard alone when a name is not printable ASCII. */
  readonly keys: readonly LookupKey[];
}

/** Context-specific tags, constructed [n] and primitive [n]. */
const CONSTRUCTED = 0xa0;
const PRIMITIVE = 0x80;
/** Fields of TBSCertificate that stand between the serial number and the key: algorithm, issuer, validity, subject. */
const SKIPPED_SEQUENCES = 4;

const OID_ALTERNATIVE_NAMES = '551d11';
const OID_FULCIO_ISSUER_V1 = '2b0601040183bf300101';
const OID_FULCIO_ISSUER = '2b0601040183bf300108';
const OID_FULCIO_REPOSITORY = '2b0601040183bf30010c';
/** otherName types: Fulcio's user name, and the internationalized e-mail address of RFC 8398. */
const OTHER_NAMES: ReadonlyMap<string, 'other' | 'email'> = new Map([
  ['2b0601040183bf300107', 'other'],
  ['2b06010505070809', 'email'],
]);
const TEXT_NAMES: ReadonlyMap<number, 'email' | 'dns' | 'uri'> = new Map([
  [PRIMITIVE + 1, 'email'],
  [PRIMITIVE + 2, 'dns'],
  [PRIMITIVE + 6, 'uri'],
]);
const OTHER_NAME = CONSTRUCTED;
const IP_ADDRESS = PRIMITIVE + 7;

/** Throws `malformed`, naming `what`, when the bytes are not one certificate from the first to the last. */
export function parseCertificate(der: Uint8Array, what: string): Certificate {
  const [tbs] = readSequence(der, what);
  const fields = readElements(expectTag(tbs, TAG.sequence, what).content, what);
  if (fields[0]?.tag === CONSTRUCTED) fields.shift(); // the version
  expectTag(fields.shift(), TAG.integer, `${what} (its serial number)`);
  for (let i = 0; i < SKIPPED_SEQUENCES; i++) expectTag(fields.shift(), TAG.sequence, what);
  const spki = expectTag(fields.shift(), TAG.sequence, `${what} (its public key)`).bytes;
  for (const unique of [1, 2]) {
    const tag = fields[0]?.tag;
    if (tag === PRIMITIVE + unique || tag === CONSTRUCTED + unique) fields.shift();
  }
  const extensions = fields[0]?.tag === CONSTRUCTED + 3 ? fields.shift() : undefined;
  if (fields.length > 0) throw new SteleError('malformed', `${what} has more than a certificate has`);
  const keys = extensions === undefined ? [] : extensionKeys(extensions.content, what);
  return { spki, keys: keys.includes(WILDCARD) ? [WILDCARD] : keys };
}

function extensionKeys(content: Uint8Array, what: string): LookupKey[] {
  const seen = new Set<string>();
  return readSequence(content, what).flatMap((extension) => {
    const [oid, ...rest] = readElements(expectTag(extension, TAG.sequence, what).content, what);
    if (rest[0]?.tag === TAG.boolean) rest.shift(); // critical
    const id = toHex(expectTag(oid, TAG.objectIdentifier, what).content);
    const value = expectTag(rest.shift(), TAG.octetString, `${what} (an extension)`).content;
    if (rest.length > 0 || seen.has(id)) {
      throw new SteleError('malformed', `${what} has an extension twice, or one with too many parts`);
    }
    seen.add(id);
    return keysOfExtension(id, value, what);
  });
}

function keysOfExtension(id: string, value: Uint8Array, what: string): LookupKey[] {
  switch (id) {
    case OID_ALTERNATIVE_NAMES:
      return readSequence(value, what).flatMap((name) => nameKeys(name, what));
    case OID_FULCIO_ISSUER_V1:
      return [textKey(value, (text) => ({ name: 'issuer', value: text }))];
    case OID_FULCIO_ISSUER:
      return [textKey(utf8Content(value, what), (text) => ({ name: 'issuer', value: text }))];
    case OID_FULCIO_REPOSITORY:
      return [textKey(utf8Content(value, what), (text) => ({ name: 'repo', value: text }))];
    default:
      return [];
  }
}

function nameKeys({ tag, content }: Element, what: string): LookupKey[] {
  if (tag === OTHER_NAME) return otherNameKeys(content, what);
  if (tag === IP_ADDRESS) {
    return content.length === 4 || content.length === 16 ? [{ name: 'san', type: 'ip', value: content }] : [WILDCARD];
  }
  const type = TEXT_NAMES.get(tag);
  return type === undefined ? [] : [textKey(content, (value) => ({ name: 'san', type, value }))];
}

function otherNameKeys(content: Uint8Array, what: string): LookupKey[] {
  const [oid, value, ...more] = readElements(content, what);
  const type = OTHER_NAMES.get(toHex(expectTag(oid, TAG.objectIdentifier, what).content));
  const explicit = expectTag(value, CONSTRUCTED, what).content;
  if (more.length > 0) throw new SteleError('malformed', `${what} has an otherName with too many parts`);
  return type === undefined
    ? []
    : [textKey(utf8Content(explicit, what), (text) => ({ name: 'san', type, value: text }))];
}

function utf8Content(bytes: Uint8Array, what: string): Uint8Array {
  return readElement(bytes, TAG.utf8String, what).content;
}

/** A key of folded text; names that two readers could see differently are never keys. */
function textKey(bytes: Uint8Array, keyOf: (text: string) => LookupKey): LookupKey {
  const printable = bytes.every((byte) => byte >= 0x20 && byte <= 0x7e);
  return printable ? keyOf(fold(new TextDecoder().decode(bytes))) : WILDCARD;
}
