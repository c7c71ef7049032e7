/** Signed notes (c2sp.org/signed-note, NOTE-1 … NOTE-9): a text, an empty line, and signature lines. */

import { SteleError } from '../errors.ts';
import { fromLaxBase64, fromUtf8, toBase64, utf8 } from './encoding.ts';
import { hexId, type Signer, type Verifier } from './keys.ts';
import { isKeyName } from './name.ts';

/** Bounds of NOTE-8. */
export const MAX_SIGNATURES = 100;
export const MAX_NOTE_BYTES = 2 ** 20;

export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  /** What comes after the key id: at least one byte. */
  readonly signature: Uint8Array;
  /** The whole line, without its LF. */
  readonly line: string;
}

export interface Note {
  /** With its final LF. */
  readonly text: Uint8Array;
  /** In the order of the lines, at least one. */
  readonly signatures: readonly NoteSignature[];
}

/** A note of which at least one known key has signed the text. */
export interface OpenedNote extends Note {
  /** One for each known key that signed, in order. */
  readonly verified: readonly NoteSignature[];
  /** Lines of keys that are not known, without repeats: nothing is said about them. */
  readonly unverified: readonly NoteSignature[];
}

const DASH = '— ';
const LF = 0x0a;

/** Reads a note without verifying anything. Throws `malformed`, or `limit` beyond the bounds above. */
export function parseNote(bytes: Uint8Array): Note {
  const fail = (why: string): never => {
    throw new SteleError('malformed', `note: ${why}`);
  };
  if (bytes.length > MAX_NOTE_BYTES)
    throw new SteleError('limit', `note: ${bytes.length} bytes, more than ${MAX_NOTE_BYTES}`);
  const whole = fromUtf8(bytes);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is the check that there are none (NOTE-3)
  if (/[\0-\x09\x0b-\x1f]/.test(whole)) return fail('a control character');
  if (!whole.endsWith('\n')) return fail('does not end in a newline');
  const split = whole.lastIndexOf('\n\n'); // the last empty line: the text may contain others (NOTE-2)
  if (split < 0) return fail('no empty line before the signatures');
  const lines = whole.slice(split + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) throw new SteleError('limit', `note: more than ${MAX_SIGNATURES} signature lines`);
  if (whole.length === split + 2) return fail('no signature');
  return { text: utf8(whole.slice(0, split + 1)), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  const fail = (why: string): never => {
    throw new SteleError('malformed', `note: signature line ${JSON.stringify(line.slice(0, 80))}: ${why}`);
  };
  if (!line.startsWith(DASH)) return fail('does not begin with an em dash and a space');
  const [name = '', base64 = '', ...more] = line.slice(DASH.length).split(' ');
  if (more.length > 0 || base64 === '') return fail('not a name and a signature');
  if (!isKeyName(name)) return fail('not the name of a key');
  const blob = fromLaxBase64(base64, 'note: signature');
  if (blob.length < 5) return fail('no signature after the key id'); // NOTE-9
  const keyId = new DataView(blob.buffer, blob.byteOffset, 4).getUint32(0);
  return { name, keyId, signature: blob.subarray(4), line };
}

/**
 * Verifies a note against the known keys. Throws `invalid-proof` when a known key's line does not verify (NOTE-6),
 * `unverified` when no known key has signed (NOTE-7), `config` when two of the known keys share name and id, so that a
 * line could be either's (NOTE-5), `malformed`, `limit`.
 */
export function openNote(bytes: Uint8Array, verifiers: readonly Verifier[]): OpenedNote {
  const note = parseNote(bytes);
  const verified: NoteSignature[] = [];
  const unverified: NoteSignature[] = [];
  const seen = new Set<Verifier>();
  for (const signature of note.signatures) {
    const verifier = verifiers.find(({ name, keyId }) => name === signature.name && keyId === signature.keyId);
    if (verifier === undefined) {
      if (!unverified.some(({ line }) => line === signature.line)) unverified.push(signature);
    } else if (!seen.has(verifier)) {
      refuseAmbiguous(verifier, verifiers);
      seen.add(verifier); // of repeated lines the first one speaks (NOTE-9)
      if (!verifier.verify(note.text, signature.signature)) {
        throw new SteleError(
          'invalid-proof',
          `note: the signature of ${verifier.name} (${hexId(verifier.keyId)}) does not verify`,
        );
      }
      verified.push(signature);
    }
  }
  if (verified.length > 0) return { ...note, verified, unverified };
  const wanted = verifiers.map(({ name, keyId }) => `${name} (${hexId(keyId)})`).join(', ') || 'no key at all';
  const found = note.signatures.map(({ name, keyId }) => `${name} (${hexId(keyId)})`).join(', ');
  throw new SteleError('unverified', `note: not signed by ${wanted}, but by ${found}`);
}

function refuseAmbiguous({ name, keyId, vkey }: Verifier, verifiers: readonly Verifier[]): void {
  if (!verifiers.some((other) => other.name === name && other.keyId === keyId && other.vkey !== vkey)) return;
  throw new SteleError('config', `two different keys are called ${name} (${hexId(keyId)}): leave one out`);
}

/** The note as bytes: what `parseNote` read, byte for byte. */
export function formatNote({ text, signatures }: Note): Uint8Array {
  return utf8(`${fromUtf8(text)}\n${signatures.map(({ line }) => `${line}\n`).join('')}`);
}

/**
 * Signs a text, which ends in LF, with every signer, in order. Throws `malformed` or `limit` for what no reader would
 * accept.
 */
export async function signNote(text: Uint8Array, signers: readonly Signer[]): Promise<Uint8Array> {
  // Without it the text's own last line would be read as a signature, of a shorter text.
  if (text.at(-1) !== LF) throw new SteleError('malformed', 'note: the text to sign does not end in a newline');
  const lines: string[] = [];
  for (const signer of signers) {
    const signature = await signer.sign(text);
    const blob = new Uint8Array(4 + signature.length);
    new DataView(blob.buffer).setUint32(0, signer.keyId);
    blob.set(signature, 4);
    lines.push(`${DASH}${signer.name} ${toBase64(blob)}`);
  }
  const note = utf8(`${fromUtf8(text)}\n${lines.map((line) => `${line}\n`).join('')}`);
  parseNote(note); // a text or a name that no reader would accept is a mistake of ours
  return note;
}

/**
 * The first note with the signature lines of the second that it does not have yet, in order. Throws `conflict` when the
 * texts differ, `limit` when the lines together are more than a reader accepts (NOTE-8).
 */
export function addSignatures(note: Uint8Array, other: Uint8Array): Uint8Array {
  const [one, two] = [parseNote(note), parseNote(other)];
  if (fromUtf8(one.text) !== fromUtf8(two.text)) throw new SteleError('conflict', 'signatures of two different texts');
  const lines = new Set(one.signatures.map(({ line }) => line));
  const added = two.signatures.filter(({ line }) => !lines.has(line));
  if (added.length === 0) return note;
  const merged = formatNote({ text: one.text, signatures: [...one.signatures, ...added] });
  parseNote(merged);
  return merged;
}
