/** What an opened note says: the parts of notes.json and cosignatures.json that are more than a verdict. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import {
  addSignatures,
  generateKey,
  hexId,
  type NoteSignature,
  openCheckpoint,
  openNote,
  parseNote,
  parseSignerKey,
  parseVerifierKey,
  signNote,
} from '../../src/note/index.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../tiles-spec/vectors/${name}`, import.meta.url), 'utf8'));
const bytesOf = (text: { utf8?: string; base64?: string }): Uint8Array =>
  text.utf8 === undefined ? new Uint8Array(Buffer.from(text.base64 ?? '', 'base64')) : utf8(text.utf8);

/** As the vectors have a signature; `line` is the only place where its base64 is as it was read. */
function described({ name, keyId, line }: NoteSignature) {
  return { name, keyId: hexId(keyId), base64: line.slice(line.lastIndexOf(' ') + 1) };
}

test('an opened note has the text, the verified and the unverified lines that Go’s note package finds (NOTE-5, NOTE-9)', () => {
  const { keys, cases } = read('notes.json');
  const limit = new Set(['n019', 'n020']); // above NOTE-8's bound, which vectors.test.ts holds
  const opened = cases.filter((one: { id: string; opened?: object }) => one.opened && !limit.has(one.id));
  assert.ok(opened.length >= 20);
  for (const { id, note, verifiers, opened: wanted } of opened) {
    const known = verifiers.map((name: string) => parseVerifierKey(keys[name].vkey));
    const { text, verified, unverified } = openNote(bytesOf(note), known);
    assert.equal(new TextDecoder('utf-8', { ignoreBOM: true }).decode(text), wanted.text, id);
    assert.deepEqual(verified.map(described), wanted.sigs, id);
    assert.deepEqual(unverified.map(described), wanted.unverifiedSigs, id);
  }
});

test('a checkpoint with cosignatures opens with the log’s key alone, and keeps their lines (COSIG-11, CKPT-6)', () => {
  // The verdicts of cosignatures.json are about the cosigners' lines, which wait for keys of types 4 and 6. What concerns
  // the log's key holds whatever they say: its own line verifies beside them.
  const { logKey, cases } = read('cosignatures.json');
  const verifier = parseVerifierKey(logKey.vkey);
  let opened = 0;
  for (const { id, note } of cases) {
    const bytes = bytesOf(note);
    const lines = parseNote(bytes).signatures;
    const own = lines.filter(({ name, keyId }) => name === verifier.name && keyId === verifier.keyId);
    if (own.length === 0) {
      assert.throws(
        () => openCheckpoint(bytes, verifier),
        (error) => isSteleError(error, 'unverified'),
        id,
      );
    } else {
      assert.deepEqual(openCheckpoint(bytes, verifier).signatures, lines, id);
      opened += 1;
    }
  }
  assert.equal(opened, 4);
});

test('two different keys of one name and id are refused, the same key twice is not (NOTE-5)', async () => {
  const { skey, vkey } = generateKey('log.example/demo', new Uint8Array(32).fill(5));
  const verifier = parseVerifierKey(vkey);
  const note = await signNote(utf8('text\n'), [parseSignerKey(skey)]);
  const impostor = { ...verifier, vkey: 'another key', verify: () => true };
  for (const verifiers of [
    [verifier, impostor],
    [impostor, verifier],
  ]) {
    assert.throws(
      () => openNote(note, verifiers),
      (error) => isSteleError(error, 'config'),
    );
  }
  assert.equal(openNote(note, [verifier, parseVerifierKey(vkey)]).verified.length, 1);
});

test('merging stops at the number of lines that readers accept (NOTE-8)', async () => {
  const text = utf8('text\n');
  const filled = (name: string, count: number): Uint8Array =>
    utf8(`text\n\n${Array.from({ length: count }, (_, i) => `— ${name}${i}.example AAAAAAA=\n`).join('')}`);
  assert.equal(parseNote(addSignatures(filled('a', 60), filled('b', 40))).signatures.length, 100);
  assert.throws(
    () => addSignatures(filled('a', 60), filled('b', 41)),
    (error) => isSteleError(error, 'limit'),
  );
  assert.deepEqual(parseNote(filled('a', 100)).text, text);
});
