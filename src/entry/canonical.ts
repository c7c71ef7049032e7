/** RFC 8785 for what entries are made of: objects, lists and strings; numbers, which are its hard part, do not occur. */

import { SteleError } from '../errors.ts';
import { MAX_ENTRY_SIZE } from '../tiles/index.ts';

export type Canonical = string | readonly Canonical[] | CanonicalObject;
export interface CanonicalObject {
  readonly [name: string]: Canonical;
}

const encoder = new TextEncoder();

/** The canonical text: members sorted by UTF-16 code units, no white space, strings as ECMAScript writes them. */
export function canonicalize(value: Canonical): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalize).join(',')}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalize(member)}`).join(',')}}`;
}

function isList(value: Canonical): value is readonly Canonical[] {
  return Array.isArray(value);
}

/** The bytes that are logged. Throws `limit` above the 65,535 that an entry bundle can hold. */
export function canonicalBody(value: CanonicalObject): Uint8Array {
  return loggable(encoder.encode(canonicalize(value)));
}

export function loggable(body: Uint8Array): Uint8Array {
  if (body.length <= MAX_ENTRY_SIZE) return body;
  throw new SteleError(
    'limit',
    `the entry would have ${body.length} bytes, above the ${MAX_ENTRY_SIZE} that a log can hold`,
  );
}
