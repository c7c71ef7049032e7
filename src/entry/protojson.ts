/**
 * Fields of protocol buffers in JSON (protobuf.dev/programming-guides/json), by the rules of Go's protojson for input:
 * names in lowerCamelCase or as in the .proto file, `null` is absent, enumerations by name or number, base64 of either
 * alphabet with or without padding; unknown fields and repeated ones are errors. Errors are `malformed` where nothing else is
 * said, and start with the path of the field.
 */

import { SteleError } from '../errors.ts';
import { atobBytes } from '../note/index.ts';
import { MAX_ENTRY_SIZE } from '../tiles/index.ts';
import { type Json, shown } from './json.ts';

/** A value and where it stands, as in `hashedRekordRequestV002.signature`; the empty path is the request itself. */
export interface Field {
  readonly path: string;
  readonly value: Json;
}

export type Fields<Name extends string> = Readonly<Partial<Record<Name, Field>>>;

/** The fields of a message that are set, by their lowerCamelCase names. */
export function readMessage<Name extends string>(field: Field, names: readonly Name[]): Fields<Name> {
  if (!(field.value instanceof Map)) return refuse(field, 'is not an object');
  const found: Partial<Record<Name, Field>> = {};
  const seen = new Set<Name>();
  for (const [key, value] of field.value as ReadonlyMap<string, Json>) {
    const name = names.find((one) => one === key || protoName(one) === key);
    if (name === undefined) return refuse(field, `has an unknown field ${shown(key)}; known are ${names.join(', ')}`);
    if (seen.has(name)) return refuse(field, `has ${name} twice`);
    seen.add(name);
    if (value !== null) found[name] = { path: under(field.path, name), value };
  }
  return found;
}

/** The one of `names` that is set. Throws when none or several are. */
export function readOneOf<Name extends string>(
  field: Field,
  fields: Fields<Name>,
  names: readonly Name[],
): { readonly name: Name; readonly field: Field } {
  const set = names.flatMap((name) => {
    const one = fields[name];
    return one === undefined ? [] : [{ name, field: one }];
  });
  const [first, ...more] = set;
  if (first === undefined) return refuse(field, `needs ${names.join(' or ')}`);
  return more.length === 0 ? first : refuse(field, `has several of ${names.join(', ')}, of which one may be set`);
}

/** The field, which has to be set and, if it holds bytes or a list, not be empty. */
export function required(parent: Field, fields: Fields<string>, name: string): Field {
  return fields[name] ?? refuse(parent, `has no ${name}`);
}

/** The elements of a list; none when it is absent. `null` is no element. */
export function readList(field: Field | undefined): Field[] {
  if (field === undefined) return [];
  if (!Array.isArray(field.value)) return refuse(field, 'is not a list');
  return (field.value as readonly Json[]).map((value, at) => ({ path: `${field.path}[${at}]`, value }));
}

export function readText(field: Field | undefined): string {
  if (field === undefined) return '';
  return typeof field.value === 'string' ? field.value : refuse(field, 'is not a string');
}

/** One of a table's names, given as such or by its number. */
export function readEnum<Name extends string>(field: Field, numbers: Readonly<Record<Name, number>>): Name {
  const names = Object.keys(numbers) as Name[];
  const found = names.find((name) => name === field.value || numbers[name] === field.value);
  if (found !== undefined) return found;
  const { value } = field;
  const given = typeof value === 'string' ? shown(value) : typeof value === 'number' ? String(value) : 'this';
  return refuse(field, `${given} is none of those that this log takes: ${names.join(', ')}`);
}

/** The bytes of base64, standard or URL-safe, padded or not. Empty text is no bytes. */
export function readBytes(field: Field | undefined): Uint8Array {
  if (field === undefined) return new Uint8Array();
  const text = readText(field);
  const standard = /[-_]/.test(text) ? text.replaceAll('-', '+').replaceAll('_', '/') : text;
  // Mixed alphabets and misplaced padding; atob lets white space pass.
  const mixed = standard !== text && /[+/]/.test(text);
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = mixed || /\s/.test(text) || (padding > 0 && text.length % 4 !== 0) ? undefined : atobBytes(standard);
  return bytes ?? refuse(field, `${shown(text)} is not base64`);
}

/** As `readBytes`, for what goes into the entry: no bytes are an error, and so are more than any entry can hold. */
export function readSomeBytes(parent: Field, fields: Fields<string>, name: string): Uint8Array {
  const field = required(parent, fields, name);
  const bytes = readBytes(field);
  if (bytes.length > MAX_ENTRY_SIZE) {
    const most = `above the ${MAX_ENTRY_SIZE} that an entry of a log can hold`;
    throw new SteleError('limit', `${field.path}: has ${bytes.length} bytes, ${most}`);
  }
  return bytes.length > 0 ? bytes : refuse(field, 'is empty');
}

/** Throws `malformed`: the field, then what is wrong with it. */
export function refuse(field: { readonly path: string }, what: string): never {
  throw new SteleError('malformed', `${field.path || 'the request'}: ${what}`);
}

function under(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** What envelope.proto, unlike all others, writes as it is in JSON: Rekor knows no `payload_type`. */
const CAMEL_CASE_IN_PROTO = 'payloadType';

/** `x509Certificate` is `x509_certificate` in the .proto file. */
function protoName(name: string): string {
  if (name === CAMEL_CASE_IN_PROTO) return name;
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
