import { sha256 } from '../merkle/index.ts';
import type { ETag, StoredObject } from './types.ts';

/**
 * The version of an object by its content: SHA-256, in hex. An object that changed from A to B and back to A is at
 * version A again, as in S3; the writers of a log never write a checkpoint twice with another one between.
 */
export function contentETag(bytes: Uint8Array): ETag {
  let hex = '';
  for (const byte of sha256(bytes)) {
    hex += byte.toString(16).padStart(2, '0');
  }
  return hex;
}

/** What `get` answers. The version is computed when somebody asks: readers never do, and it costs a pass over the bytes. */
export function storedObject(bytes: Uint8Array): StoredObject {
  let etag: ETag | undefined;
  return {
    bytes,
    get etag() {
      etag ??= contentETag(bytes);
      return etag;
    },
  };
}

/** The pieces that `NewObject.bytes` may come in. */
export function piecesOf(bytes: Uint8Array | readonly Uint8Array[]): readonly Uint8Array[] {
  return bytes instanceof Uint8Array ? [bytes] : bytes;
}

export function totalLength(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) {
    length += piece.length;
  }
  return length;
}

/** Whether the pieces, one after another, are these bytes. */
export function equalsPieces(bytes: Uint8Array, pieces: readonly Uint8Array[]): boolean {
  if (bytes.length !== totalLength(pieces)) {
    return false;
  }
  let at = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i++, at++) {
      if (bytes[at] !== piece[i]) {
        return false;
      }
    }
  }
  return true;
}
