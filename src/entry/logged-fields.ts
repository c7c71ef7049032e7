/** Parts that logged entries of several kinds have. */

import { HASHES, type HashName } from './algorithms.ts';
import type { LoggedFacts } from './kind.ts';
import { type Field, readMessage, readSomeBytes, readText, refuse, required } from './protojson.ts';
import { readVerifier } from './verifier.ts';

/** `{algorithm, digest}`. */
export function readLoggedDigest(field: Field): LoggedFacts['digest'] {
  const fields = readMessage(field, ['algorithm', 'digest']);
  const algorithm = required(field, fields, 'algorithm');
  const names = Object.keys(HASHES) as HashName[];
  const hash = names.find((name) => HASHES[name].protoName === readText(algorithm));
  if (hash === undefined) return refuse(algorithm, 'is no hash that entries have');
  const bytes = readSomeBytes(field, fields, 'digest');
  if (bytes.length !== HASHES[hash].size) return refuse(field, `${bytes.length} bytes are no digest by ${hash}`);
  return { hash, bytes };
}

/** `{content, verifier}`. */
export function readLoggedSignature(field: Field): LoggedFacts['signatures'][number] {
  const fields = readMessage(field, ['content', 'verifier']);
  const bytes = readSomeBytes(field, fields, 'content');
  return { bytes, verifier: readVerifier(required(field, fields, 'verifier')) };
}
