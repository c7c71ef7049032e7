/** Entity tags and the preconditions on them, RFC 9110 §8.8.3 and §13. */

import { sha256 } from '../merkle/index.ts';

/** A strong tag of exactly these bytes, the same from every store and server. */
export function entityTag(bytes: Uint8Array): string {
  return `"${Buffer.from(sha256(bytes)).toString('base64url')}"`;
}

/** Whether `If-None-Match` names this tag, by weak comparison (RFC 9110 §13.1.2). */
export function noneMatchHits(header: string | undefined, tag: string): boolean {
  return listedTags(header).some((listed) => listed === '*' || listed.replace(/^W\//, '') === tag);
}

/** Whether `If-Match` rules this tag out, by strong comparison (RFC 9110 §13.1.1). */
export function matchMisses(header: string | undefined, tag: string): boolean {
  return header !== undefined && !listedTags(header).some((listed) => listed === '*' || listed === tag);
}

/** Whether a `Range` counts: there is no `If-Range`, or it is this very tag (RFC 9110 §13.1.5). */
export function ifRangeHolds(header: string | undefined, tag: string): boolean {
  return header === undefined || header.trim() === tag;
}

function listedTags(header: string | undefined): string[] {
  return (header ?? '').split(',').map((listed) => listed.trim());
}
