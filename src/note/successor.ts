/**
 * The note that names the log that follows a frozen one (tiles-spec/successor.md), signed by the frozen log's key:
 *
 *     stele-successor/v1
 *     log.example/2026
 *     1234567
 *     m5JVGx4ESzbU2kFUPgYQ9adCA7e7mjnwQRluEmGJbHU=
 *     log.example/2027+8c2d1f04+AZ1…
 *     https://log.example/2027
 *
 * The second line of a checkpoint is a number, and here it is a name: neither passes for the other.
 */

import { SteleError } from '../errors.ts';
import { HASH_SIZE } from '../merkle/index.ts';
import { fromBase64, fromUtf8, parseDecimal, toBase64, utf8 } from './encoding.ts';
import { parseVerifierKey, type Signer, type Verifier } from './keys.ts';
import { openNote, signNote } from './note.ts';

const HEADER = 'stele-successor/v1';

export interface Successor {
  /** The frozen log. */
  readonly origin: string;
  /** Its last size and root. */
  readonly size: number;
  readonly root: Uint8Array;
  /** The key of the log that follows. */
  readonly verifier: Verifier;
  /** Where it is served, and takes entries. */
  readonly url: string;
}

/** Signs the note with the frozen log's key. Throws `malformed` for what no reader would accept. */
export async function signSuccessor(successor: Successor, signer: Signer): Promise<Uint8Array> {
  const { origin, size, root, verifier, url } = successor;
  const text = utf8(`${[HEADER, origin, String(size), toBase64(root), verifier.vkey, url].join('\n')}\n`);
  parseSuccessor(text);
  return signNote(text, [signer]);
}

/** Verifies and reads the note. Throws `unverified`, `invalid-proof`, `malformed`, `limit`. */
export function openSuccessor(bytes: Uint8Array, log: Verifier): Successor {
  const successor = parseSuccessor(openNote(bytes, [log]).text);
  if (successor.origin === log.name) return successor;
  throw new SteleError('unverified', `successor: signed by ${log.name}, but it is of ${successor.origin}`);
}

function parseSuccessor(text: Uint8Array): Successor {
  const lines = fromUtf8(text).split('\n');
  const [header, origin = '', size = '', root = '', vkey = '', url = '', end, ...more] = lines;
  if (header !== HEADER || end !== '' || more.length > 0 || origin === '') {
    throw new SteleError('malformed', `successor: not the six lines of a ${HEADER} note`);
  }
  const hash = fromBase64(root, 'successor: root');
  if (hash.length !== HASH_SIZE) throw new SteleError('malformed', `successor: a root of ${hash.length} bytes`);
  const verifier = parseVerifierKey(vkey);
  if (verifier.name === origin) throw new SteleError('malformed', 'successor: a log does not follow itself');
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new SteleError('malformed', `successor: ${JSON.stringify(url)} is not the URL of a log`);
  }
  return { origin, size: parseDecimal(size, 'successor: size'), root: hash, verifier, url };
}
