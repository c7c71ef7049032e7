/** Text and base64 as the C2SP formats want them (ENC-1, ENC-2, ENC-6). Nothing here is lenient unless it says so. */

import { SteleError } from '../errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** Throws `malformed` unless the bytes are UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new SteleError('malformed', 'not valid UTF-8', { cause });
  }
}

const ALPHABET = utf8('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PADDING = 0x3d;

/** RFC 4648 §4, padded. By hand, since btoa takes a string: making that costs ten times as much as the encoding. */
export function toBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(4 * Math.ceil(bytes.length / 3)).fill(PADDING);
  let end = 0;
  for (let at = 0; at < bytes.length; at += 3) {
    const rest = bytes.length - at;
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text[end] = ALPHABET[group >> 18] ?? 0;
    text[end + 1] = ALPHABET[(group >> 12) & 63] ?? 0;
    if (rest > 1) text[end + 2] = ALPHABET[(group >> 6) & 63] ?? 0;
    if (rest > 2) text[end + 3] = ALPHABET[group & 63] ?? 0;
    end += 4;
  }
  return decoder.decode(text);
}

/**
 * The bytes of canonical base64. Throws `malformed` naming `what` for any other text: CR and LF, missing padding, and
 * bits beyond the last byte, which Go's decoder lets pass.
 */
export function fromBase64(text: string, what: string): Uint8Array {
  const bytes = fromLaxBase64(text, what);
  if (toBase64(bytes) !== text) throw new SteleError('malformed', `${what}: base64 with bits beyond its last byte`);
  return bytes;
}

/** As `fromBase64`, but bits beyond the last byte pass: only for signatures of notes (ENC-6). */
export function fromLaxBase64(text: string, what: string): Uint8Array {
  // atob refuses misplaced padding, but lets white space and absent padding pass. One expression for the whole grammar
  // would overflow the stack on a long text.
  const shaped = text.length % 4 === 0 && !/[^A-Za-z0-9+/=]/.test(text);
  const bytes = shaped ? atobBytes(text) : undefined;
  if (bytes === undefined) throw new SteleError('malformed', `${what}: not padded base64`);
  return bytes;
}

/** What `atob` makes of the text, or undefined where it refuses. White space and absent padding pass. */
export function atobBytes(text: string): Uint8Array | undefined {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    return undefined;
  }
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** A size or index: digits without sign or leading zeros. Throws `malformed`, and `limit` above 2^53−1 (ENC-5). */
export function parseDecimal(text: string, what: string): number {
  const shown = text.length > 32 ? `${text.slice(0, 32)}…` : text;
  if (!/^(?:0|[1-9][0-9]*)$/.test(text))
    throw new SteleError('malformed', `${what}: ${JSON.stringify(shown)} is not a decimal`);
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new SteleError('limit', `${what}: ${shown} is above 2^53-1`);
  return value;
}
