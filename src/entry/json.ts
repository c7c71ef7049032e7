/**
 * JSON (RFC 8259) as protojson reads it: no duplicate members, no lone surrogates, nothing behind the value.
 *
 * `JSON.parse` keeps the last of two equal members, and another reader the first: whoever signs one and logs the other
 * has two entries in one. Objects are Maps, so that no name is special.
 */

import { SteleError } from '../errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

/** Containers within one another; the deepest request that anything here asks for has six. */
const MAX_DEPTH = 32;
/** Values in all: more than any entry of 65,535 bytes can have, and read in some milliseconds. */
const MAX_VALUES = 65_536;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/;
/** Characters of a number that are looked at: all that any request has are numbers of an enumeration. */
const MAX_NUMBER = 64;
const WORDS = new Map<string, null | boolean>([
  ['null', null],
  ['true', true],
  ['false', false],
]);
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The value of a JSON text in UTF-8, which messages call `subject`. Throws `malformed` with the place, and `limit` for one
 * nested too deep.
 */
export function parseJson(bytes: Uint8Array, subject: string): Json {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw new SteleError('malformed', `${subject} is not UTF-8`, { cause });
  }
  const cursor = { text, at: 0, subject, values: 0 };
  const value = readValue(cursor, 0);
  skipSpace(cursor);
  return cursor.at === text.length ? value : fail(cursor, `the end of ${subject}`);
}

interface Cursor {
  readonly text: string;
  readonly subject: string;
  /** In UTF-16 code units. */
  at: number;
  /** Read so far. */
  values: number;
}

function readValue(cursor: Cursor, depth: number): Json {
  if (depth > MAX_DEPTH) throw new SteleError('limit', `${cursor.subject} is nested more than ${MAX_DEPTH} deep`);
  cursor.values += 1;
  if (cursor.values > MAX_VALUES) throw new SteleError('limit', `${cursor.subject} has more than ${MAX_VALUES} values`);
  skipSpace(cursor);
  const first = cursor.text[cursor.at];
  if (first === '{') return readObject(cursor, depth);
  if (first === '[') return readArray(cursor, depth);
  if (first === '"') return readString(cursor);
  for (const [word, value] of WORDS) {
    if (!cursor.text.startsWith(word, cursor.at)) continue;
    cursor.at += word.length;
    return value;
  }
  const [digits] = NUMBER.exec(cursor.text.slice(cursor.at, cursor.at + MAX_NUMBER)) ?? [];
  if (digits === undefined) return fail(cursor, 'a value');
  cursor.at += digits.length;
  return Number(digits);
}

function readObject(cursor: Cursor, depth: number): JsonObject {
  const members = new Map<string, Json>();
  cursor.at += 1;
  if (isNext(cursor, '}')) return members;
  do {
    skipSpace(cursor);
    if (cursor.text[cursor.at] !== '"') fail(cursor, 'a name');
    const name = readString(cursor);
    if (members.has(name))
      throw new SteleError('malformed', `${cursor.subject} has ${shown(name)} twice in one object`);
    if (!isNext(cursor, ':')) fail(cursor, '":"');
    members.set(name, readValue(cursor, depth + 1));
  } while (isNext(cursor, ','));
  return isNext(cursor, '}') ? members : fail(cursor, '"," or "}"');
}

function readArray(cursor: Cursor, depth: number): Json[] {
  const values: Json[] = [];
  cursor.at += 1;
  if (isNext(cursor, ']')) return values;
  do values.push(readValue(cursor, depth + 1));
  while (isNext(cursor, ','));
  return isNext(cursor, ']') ? values : fail(cursor, '"," or "]"');
}

/** By hand up to the closing quote, because expressions overflow their stack on long strings; then by `JSON.parse`. */
function readString(cursor: Cursor): string {
  const { text, at: start } = cursor;
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  if (end < 0) return fail(cursor, 'a string that ends');
  let value: string;
  try {
    value = JSON.parse(text.slice(start, end + 1)) as string;
  } catch {
    return fail(cursor, 'a string without control characters and with known escapes');
  }
  if (!value.isWellFormed()) throw new SteleError('malformed', `${cursor.subject} has a lone surrogate in a string`);
  cursor.at = end + 1;
  return value;
}

/** Whether an odd number of backslashes stands before the quote at `at`. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text[first - 1] === '\\') first -= 1;
  return (at - first) % 2 === 1;
}

function skipSpace(cursor: Cursor): void {
  while (' \t\n\r'.includes(cursor.text[cursor.at] ?? 'end')) cursor.at += 1;
}

/** Whether `mark` comes next, spaces aside; it is then behind us. */
function isNext(cursor: Cursor, mark: string): boolean {
  skipSpace(cursor);
  if (cursor.text[cursor.at] !== mark) return false;
  cursor.at += 1;
  return true;
}

function fail(cursor: Cursor, expected: string): never {
  const found =
    cursor.at >= cursor.text.length ? 'it ends' : `there is ${shown(cursor.text.slice(cursor.at, cursor.at + 12))}`;
  throw new SteleError(
    'malformed',
    `${cursor.subject} is not JSON: ${expected} expected at character ${cursor.at}, but ${found}`,
  );
}

/** Text of a stranger, for a message: quoted and short. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
