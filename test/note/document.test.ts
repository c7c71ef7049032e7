/** The examples of tiles-spec/checkpoint.md are what the document says they are. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { hashLeaf } from '../../src/merkle/index.ts';
import { openCheckpoint, parseVerifierKey, verifyProof } from '../../src/note/index.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

test('the checkpoint, key and proof of the document verify, the proof for `leaf 1`', () => {
  const document = readFileSync(new URL('../../tiles-spec/checkpoint.md', import.meta.url), 'utf8');
  const [checkpoint = '', vkey = '', proof = ''] = Array.from(
    document.matchAll(/```\n([^`]*)```/g),
    ([, code]) => code,
  );
  const verifier = parseVerifierKey(vkey.trim());
  assert.equal(openCheckpoint(utf8(checkpoint), verifier).size, 2);
  assert.equal(verifyProof(utf8(proof), hashLeaf(utf8('leaf 1')), verifier).index, 1);
  assert.throws(() => verifyProof(utf8(proof), hashLeaf(utf8('leaf 0')), verifier), { code: 'invalid-proof' });
});
