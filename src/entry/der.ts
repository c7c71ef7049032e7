/**
 * Tags and lengths of DER (X.690), and nothing of what they mean: enough to find the parts of a key, a certificate and
 * a signature. Strict, because whoever is lenient here lets one key or signature have several encodings: low-form tags,
 * minimal definite lengths, elements that fill their parent exactly.
 */

import { SteleError } from '../errors.ts';

export interface Element {
  readonly tag: number;
  /** A view. */
  readonly content: Uint8Array;
  /** A view: tag, length and content. */
  readonly bytes: Uint8Array;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
} as const;

/** Two digits for each byte. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const HIGH_FORM = 0x1f;
const LONG_FORM = 0x80;

/** All elements of `bytes`, one after another to the last byte. Throws `malformed`, naming `what`. */
export function readElements(bytes: Uint8Array, what: string): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element = elementAt(bytes, at, what);
    elements.push(element);
    at += element.bytes.length;
  }
  return elements;
}

/** The one element that `bytes` are, with the given tag. Throws `malformed`, naming `what`. */
export function readElement(bytes: Uint8Array, tag: number, what: string): Element {
  if (bytes.length === 0) throw new SteleError('malformed', `${what} is empty`);
  const element = elementAt(bytes, 0, what);
  if (element.bytes.length < bytes.length) {
    throw new SteleError('malformed', `${what} has ${bytes.length - element.bytes.length} bytes behind its end`);
  }
  return expectTag(element, tag, what);
}

/** The elements inside the one SEQUENCE that `bytes` are. */
export function readSequence(bytes: Uint8Array, what: string): Element[] {
  return readElements(readElement(bytes, TAG.sequence, what).content, what);
}

/** The element, if there is one and it has that tag. Throws `malformed`, naming `what`. */
export function expectTag(element: Element | undefined, tag: number, what: string): Element {
  if (element?.tag === tag) return element;
  const found = element === undefined ? 'nothing' : `tag ${element.tag}`;
  throw new SteleError('malformed', `${what} is not as expected: ${found} where tag ${tag} should be`);
}

/** A non-negative INTEGER in its shortest form. Throws `malformed`, naming `what`. */
export function readUnsigned(element: Element | undefined, what: string): bigint {
  const { content } = expectTag(element, TAG.integer, what);
  const [first, second] = content;
  if (first === undefined || first >= 0x80 || (first === 0 && second !== undefined && second < 0x80)) {
    throw new SteleError('malformed', `${what} has an integer that is negative or not in its shortest form`);
  }
  return toBigInt(content);
}

export function toBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

export function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

function elementAt(bytes: Uint8Array, at: number, what: string): Element {
  const tag = bytes[at] ?? 0;
  if ((tag & HIGH_FORM) === HIGH_FORM) throw new SteleError('malformed', `${what} has a tag in high form`);
  const { length, size } = lengthAt(bytes, at + 1, what);
  const start = at + 1 + size;
  if (start + length > bytes.length) {
    throw new SteleError('malformed', `${what} is cut off: ${start + length - bytes.length} bytes are missing`);
  }
  return { tag, content: bytes.subarray(start, start + length), bytes: bytes.subarray(at, start + length) };
}

function lengthAt(bytes: Uint8Array, at: number, what: string): { length: number; size: number } {
  const first = bytes[at];
  if (first === undefined) throw new SteleError('malformed', `${what} is cut off in a length`);
  if (first < LONG_FORM) return { length: first, size: 1 };
  const digits = bytes.subarray(at + 1, at + 1 + (first - LONG_FORM));
  const length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
  const minimal = digits.length > 0 && digits.length <= 4 && digits[0] !== 0 && length >= LONG_FORM;
  if (digits.length < first - LONG_FORM) throw new SteleError('malformed', `${what} is cut off in a length`);
  if (!minimal)
    throw new SteleError('malformed', `${what} has a length that is indefinite or not in its shortest form`);
  return { length, size: 1 + digits.length };
}
