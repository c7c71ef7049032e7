/** Checkpoints (c2sp.org/tlog-checkpoint, CKPT-1 … CKPT-7): a signed note of a tree's origin, size and root. */

import { SteleError } from '../errors.ts';
import { HASH_SIZE } from '../merkle/index.ts';
import { fromBase64, fromUtf8, parseDecimal, toBase64, utf8 } from './encoding.ts';
import type { Verifier } from './keys.ts';
import { type NoteSignature, openNote } from './note.ts';

export interface Checkpoint {
  /** Unique name of the log. */
  readonly origin: string;
  /** Number of entries, 0 to 2^53−1. */
  readonly size: number;
  /** RFC 6962 root of the tree of that size, 32 bytes. */
  readonly root: Uint8Array;
  /** Further lines; Stele writes none (DESIGN §6). */
  readonly extensions: readonly string[];
}

/** A checkpoint that its log has signed. */
export interface SignedCheckpoint extends Checkpoint {
  /** The whole note, as it was read. */
  readonly bytes: Uint8Array;
  /** All signature lines, cosignatures included; only the log's own was verified. */
  readonly signatures: readonly NoteSignature[];
}

/**
 * The text of the note, with its final LF. Throws `malformed` or `limit` for what no reader would take for this very
 * checkpoint: a log signs whatever comes out of here, and cannot take it back.
 */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): Uint8Array {
  const text = utf8(`${[origin, String(size), toBase64(root), ...extensions].join('\n')}\n`);
  const read = parseCheckpoint(text);
  if (read.origin !== origin || read.extensions.length !== extensions.length) {
    throw new SteleError(
      'malformed',
      `checkpoint: ${JSON.stringify(origin)} or an extension line is not one line of text`,
    );
  }
  return text;
}

/** Reads a note's text. Throws `malformed` naming the line, `limit` for a size above 2^53−1. */
export function parseCheckpoint(text: Uint8Array): Checkpoint {
  const fail = (why: string): never => {
    throw new SteleError('malformed', `checkpoint: ${why}`);
  };
  const whole = fromUtf8(text);
  if (!whole.endsWith('\n')) return fail('does not end in a newline');
  const [origin = '', size = '', root = '', ...extensions] = whole.slice(0, -1).split('\n');
  if (origin === '') return fail('no origin');
  if (extensions.includes('')) return fail('an empty extension line');
  const hash = fromBase64(root, 'checkpoint: root');
  if (hash.length !== HASH_SIZE) return fail(`a root of ${hash.length} bytes, not ${HASH_SIZE}`);
  return { origin, size: parseDecimal(size, 'checkpoint: size'), root: hash, extensions };
}

/**
 * Verifies and reads a log's checkpoint. The origin must be the key's name (CKPT-6, as Stele's own logs keep it).
 * Throws `unverified`, `invalid-proof`, `malformed`, `limit`.
 */
export function openCheckpoint(bytes: Uint8Array, verifier: Verifier): SignedCheckpoint {
  const { text, signatures } = openNote(bytes, [verifier]);
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== verifier.name) {
    throw new SteleError(
      'unverified',
      `checkpoint: signed by ${verifier.name}, but its origin is ${checkpoint.origin}`,
    );
  }
  return { ...checkpoint, bytes, signatures };
}
