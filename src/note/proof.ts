/** Proof files (c2sp.org/tlog-proof, PROOF-1 … PROOF-5): an inclusion proof and the checkpoint it leads to. */

import { SteleError } from '../errors.ts';
import { HASH_SIZE, type Hash, verifyInclusion } from '../merkle/index.ts';
import { openCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { fromBase64, fromUtf8, parseDecimal, toBase64, utf8 } from './encoding.ts';
import type { Verifier } from './keys.ts';
import { MAX_NOTE_BYTES } from './note.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^53 entries has paths of 53 hashes. */
const MAX_HASHES = 64;

export interface Proof {
  /** Position of the entry, from 0. */
  readonly index: number;
  /** The leaf's sibling first, the root's child last. */
  readonly hashes: readonly Hash[];
  /** Unauthenticated data of the application (PROOF-2). */
  readonly extra?: Uint8Array;
  /** The signed note, as it was served. */
  readonly checkpoint: Uint8Array;
}

/** The proof file. Throws `malformed` or `limit` for what `parseProof` would refuse. */
export function formatProof({ index, hashes, extra, checkpoint }: Proof): Uint8Array {
  const lines = [HEADER];
  if (extra !== undefined) lines.push(`extra ${toBase64(extra)}`);
  lines.push(`index ${index}`, ...hashes.map(toBase64));
  const head = utf8(`${lines.join('\n')}\n\n`);
  const bytes = new Uint8Array(head.length + checkpoint.length);
  bytes.set(head);
  bytes.set(checkpoint, head.length);
  parseProof(bytes);
  return bytes;
}

/** Reads a proof file; nothing in it is verified. Throws `malformed` naming the line, `limit`. */
export function parseProof(bytes: Uint8Array): Proof {
  const fail = (why: string): never => {
    throw new SteleError('malformed', `proof: ${why}`);
  };
  if (bytes.length > 2 * MAX_NOTE_BYTES) throw new SteleError('limit', `proof: ${bytes.length} bytes`);
  const whole = fromUtf8(bytes);
  const end = whole.indexOf('\n\n');
  if (end < 0) return fail('no empty line before the checkpoint');
  const lines = whole.slice(0, end).split('\n');
  if (lines.shift() !== HEADER) return fail(`does not begin with ${HEADER}`);
  let extra: Uint8Array | undefined;
  if (lines[0]?.startsWith('extra ')) extra = fromBase64(lines.shift()?.slice('extra '.length) ?? '', 'proof: extra');
  const line = lines.shift();
  if (!line?.startsWith('index ')) return fail('no index line');
  const index = parseDecimal(line.slice('index '.length), 'proof: index');
  if (lines.length > MAX_HASHES) throw new SteleError('limit', `proof: ${lines.length} hashes`);
  const hashes = lines.map((base64) => {
    const hash = fromBase64(base64, 'proof: hash');
    return hash.length === HASH_SIZE ? hash : fail(`a hash of ${hash.length} bytes`);
  });
  return { index, hashes, ...(extra && { extra }), checkpoint: utf8(whole.slice(end + 2)) };
}

/**
 * Verifies a proof file for the entry with this leaf hash, in the log with this key (PROOF-4): the log signed the
 * checkpoint, and its tree has the entry at the index. Throws `unverified`, `invalid-proof`, `malformed`, `limit`.
 */
export function verifyProof(
  bytes: Uint8Array,
  leafHash: Hash,
  verifier: Verifier,
): { readonly index: number; readonly checkpoint: SignedCheckpoint; readonly extra?: Uint8Array } {
  const { index, hashes, extra, checkpoint: note } = parseProof(bytes);
  const checkpoint = openCheckpoint(note, verifier);
  const { size, root } = checkpoint;
  verifyInclusion({ index, size, leafHash, proof: hashes, root });
  return { index, checkpoint, ...(extra && { extra }) };
}
