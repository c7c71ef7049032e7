import { SteleError } from '../errors.ts';

/**
 * Names that directories keep for themselves: unfinished files are in the folder `.tmp` at the root of a store, other
 * names that begin like that are there for a moment only, and `.lock` is the lock. No store accepts a key with such a
 * part, so that what one store holds every other can hold.
 */
export const TEMPORARY_FOLDER = '.tmp';
export const MOMENTARY_FOLDER = '.tmp-again';
export const LOCK_FOLDER = '.lock';

/** S3 takes keys of up to 1,024 bytes of UTF-8, common file systems names of up to 255. */
const MAX_KEY_BYTES = 1024;
const MAX_PART_BYTES = 255;

const encoder = new TextEncoder();

/**
 * The parts of an object's key: `tile/0/x001/067` gives `['tile', '0', 'x001', '067']`.
 *
 * Throws `malformed` unless the key can be stored by every store and cannot leave its root: relative, `/`-separated,
 * well-formed Unicode, at most 1,024 bytes of UTF-8 and 255 a part; no part empty, `.`, `..`, `.tmp…` or `.lock`; no
 * backslash; no control character (S3 cannot list those).
 */
export function parseKey(key: string): string[] {
  const parts = key.split('/');
  for (const part of parts) {
    const problem = problemOfPart(part);
    if (problem !== undefined) {
      throw new SteleError('malformed', `${JSON.stringify(key)} is not a key of an object: ${problem}`);
    }
  }
  // A UTF-16 code unit takes at most three bytes, so short keys need no encoding.
  if (key.length * 3 > MAX_KEY_BYTES && encoder.encode(key).length > MAX_KEY_BYTES) {
    throw new SteleError('malformed', `a key of ${key.length} characters is longer than ${MAX_KEY_BYTES} bytes`);
  }
  return parts;
}

/** Whether a file of this name can be the last part of a key; a directory may hold others, which are no objects. */
export function isKeyPart(part: string): boolean {
  return problemOfPart(part) === undefined;
}

/**
 * The whole folders of a prefix, and the beginning of the names wanted in the last of them: `tile/0/x0` gives
 * `{ folders: ['tile', '0'], start: 'x0' }`. Throws `malformed` where no key could start like that.
 */
export function parsePrefix(prefix: string): { folders: string[]; start: string } {
  const cut = prefix.lastIndexOf('/');
  if (cut === 0) {
    throw new SteleError('malformed', `${JSON.stringify(prefix)} is not the start of any key: keys are relative`);
  }
  return { folders: cut < 0 ? [] : parseKey(prefix.slice(0, cut)), start: prefix.slice(cut + 1) };
}

/** Compares keys by their UTF-8 bytes, as buckets list them: negative, zero or positive. */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) {
      return utf8Rank(unitA) - utf8Rank(unitB);
    }
  }
  return a.length - b.length;
}

/** UTF-8 puts U+E000–U+FFFF before what UTF-16 spells with surrogates (U+D800–U+DFFF): swap the two. */
function utf8Rank(unit: number): number {
  if (unit < 0xd800) {
    return unit;
  }
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function problemOfPart(part: string): string | undefined {
  if (part === '') {
    return 'a part is empty';
  }
  if (part === '.' || part === '..') {
    return `${part} is not a name`;
  }
  if (part.startsWith(TEMPORARY_FOLDER) || part === LOCK_FOLDER) {
    return `${part} is a name that directories keep for themselves`;
  }
  for (let i = 0; i < part.length; i++) {
    const unit = part.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) {
      return 'it has a control character';
    }
    if (unit === 0x5c) {
      return 'it has a backslash';
    }
  }
  if (!part.isWellFormed()) {
    return 'it has half of a surrogate pair';
  }
  if (part.length * 3 > MAX_PART_BYTES && encoder.encode(part).length > MAX_PART_BYTES) {
    return `a part is longer than ${MAX_PART_BYTES} bytes`;
  }
  return undefined;
}
