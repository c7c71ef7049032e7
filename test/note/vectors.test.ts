/** Notes, keys, checkpoints and proofs against the vectors of independent implementations; `expect` is what is held. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { ecdsaVerifierOf as nodeEcdsa } from '../../src/note/ecdsa-node.ts';
import { ecdsaVerifierOf as webEcdsa } from '../../src/note/ecdsa-web.ts';
import {
  fromBase64,
  openNote,
  parseCheckpoint,
  parseNote,
  parseProof,
  parseSignerKey,
  parseVerifierKey,
  signNote,
  toBase64,
  verifyProof,
} from '../../src/note/index.ts';

type Text = { utf8: string } | { base64: string };
interface Verdict {
  readonly id: string;
  readonly label: string;
  readonly expect: 'accept' | 'reject' | 'either';
  readonly advice?: string;
}

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../tiles-spec/vectors/${name}`, import.meta.url), 'utf8')) as T;
const bytesOf = (text: Text): Uint8Array =>
  'utf8' in text ? new TextEncoder().encode(text.utf8) : new Uint8Array(Buffer.from(text.base64, 'base64'));

/** What Stele should do where the specification leaves it open: the advice, or else the stricter reading. */
const wanted = ({ expect, advice }: Verdict): boolean =>
  expect === 'accept' || (expect === 'either' && advice?.startsWith('accept') === true);

function holds(verdict: Verdict, act: () => void): void {
  if (wanted(verdict)) act();
  else assert.throws(act, (error) => isSteleError(error), `${verdict.id} ${verdict.label}`);
}

interface NoteCase extends Verdict {
  readonly note: Text;
  readonly verifiers: readonly string[];
  readonly opened?: { text: string; sigs: unknown[]; unverifiedSigs: unknown[] };
}
interface KeyCase extends Verdict {
  readonly key: Text;
  readonly name?: string;
  readonly keyId?: string;
  readonly type?: number;
}
const notes = read<{
  keys: Record<string, { vkey: string; skey: string }> | { name: string; vkey: string; skey: string; label?: string }[];
  cases: NoteCase[];
  verifierKeys: KeyCase[];
  signerKeys: KeyCase[];
  ecdsa: (Verdict & { vkey: string; note: Text })[];
}>('notes.json');

/** Open cases where Stele follows the library that counts lines, or refuses more than it reads. */
const LEFT_OPEN: Readonly<Record<string, 'accept' | 'reject'>> = {
  n021: 'accept',
  n018: 'accept',
  n019: 'reject',
  n020: 'reject',
};

for (const one of notes.cases) {
  test(`note ${one.id}: ${one.label}`, () => {
    const expect = LEFT_OPEN[one.id] ?? one.expect;
    const verifiers = one.verifiers.map((verifier) => parseVerifierKey(vkeyOf(verifier)));
    holds({ ...one, expect }, () => {
      const opened = openNote(bytesOf(one.note), verifiers);
      assert.ok(opened.verified.length > 0);
    });
  });
}

function vkeyOf(reference: string): string {
  if (reference.includes('+')) return reference;
  const { keys } = notes;
  const found = Array.isArray(keys)
    ? keys.find(({ name, label }) => name === reference || label === reference)
    : keys[reference];
  assert.ok(found, `the vectors have key ${reference}`);
  return found.vkey;
}

for (const one of notes.verifierKeys) {
  // Cosignature keys sign with a time, not the text alone: they are for witnesses, not for the log's own line.
  const cosigner = one.type === 4 || one.type === 6;
  test(`verifier key ${one.id}: ${one.label}${cosigner ? ' (not a log’s key: refused, naming the type)' : ''}`, () => {
    const key = new TextDecoder().decode(bytesOf(one.key));
    if (cosigner) {
      assert.throws(
        () => parseVerifierKey(key),
        (error) => isSteleError(error, 'malformed') && error.message.includes(`type ${one.type}`),
      );
      return;
    }
    holds(one, () => {
      const verifier = parseVerifierKey(key);
      assert.equal(verifier.name, one.name);
      assert.equal(verifier.type, one.type);
    });
  });
}

for (const one of notes.signerKeys) {
  test(`signer key ${one.id}: ${one.label}`, () => {
    const key = new TextDecoder().decode(bytesOf(one.key));
    holds(one, () => assert.equal(parseSignerKey(key).name, one.name));
  });
}

for (const one of notes.ecdsa) {
  test(`ECDSA note ${one.id}: ${one.label}`, () => {
    holds(one, () => void openNote(bytesOf(one.note), [parseVerifierKey(one.vkey)]));
    // Both platforms give the same verdict on key and signature.
    const spki = fromBase64(one.vkey.slice(one.vkey.indexOf('+', one.vkey.indexOf('+') + 1) + 1), 'vkey').slice(1);
    const { text, signatures } = parseNote(bytesOf(one.note));
    const [first] = signatures;
    assert.ok(first);
    assert.equal(nodeEcdsa(spki)?.(text, first.signature), webEcdsa(spki)?.(text, first.signature));
  });
}

test('the example of the signed-note specification verifies', () => {
  const note =
    'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
  const verifier = parseVerifierKey('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k');
  assert.equal(openNote(new TextEncoder().encode(note), [verifier]).verified.length, 1);
});

test('keys of the vectors sign what their verifier keys verify', async () => {
  const trees = read<{ trees: { logKey: { skey: string; vkey: string } }[] }>('trees.json');
  const [{ logKey } = assert.fail('there are trees')] = trees.trees;
  const signer = parseSignerKey(logKey.skey);
  assert.equal(signer.verifierKey, logKey.vkey);
  const note = await signNote(new TextEncoder().encode('a text\n'), [signer]);
  assert.equal(openNote(note, [parseVerifierKey(logKey.vkey)]).verified.length, 1);
});

interface CheckpointCase extends Verdict {
  readonly body: Text;
  readonly parsed?: { origin: string; size: string; root: string; extensions: string };
}
for (const one of read<{ cases: CheckpointCase[] }>('checkpoints.json').cases) {
  test(`checkpoint ${one.id}: ${one.label}`, () => {
    holds(one, () => {
      const { origin, size, root, extensions } = parseCheckpoint(bytesOf(one.body));
      assert.ok(one.parsed);
      assert.deepEqual(
        { origin, size: String(size), root: toBase64(root) },
        {
          origin: one.parsed.origin,
          size: one.parsed.size,
          root: one.parsed.root,
        },
      );
      assert.equal(extensions.map((line) => `${line}\n`).join(''), one.parsed.extensions ?? '');
    });
  });
}

interface ProofCase extends Verdict {
  readonly proof: Text;
  readonly policy: string;
  readonly leafHash: string;
  readonly index?: number | string;
  readonly rules: readonly string[];
}
const proofs = read<{ policies: Record<string, string>; cases: ProofCase[] }>('proofs.json');
for (const one of proofs.cases) {
  const [, vkey = ''] = /^log (\S+)/m.exec(proofs.policies[one.policy] ?? '') ?? [];
  const alone = !/^witness/m.test(proofs.policies[one.policy] ?? '');
  // Where the verdict turns on witnesses, what is held here is the part without them: it parses.
  test(`proof ${one.id}: ${one.label}${alone ? '' : ' (read only: its policy has witnesses)'}`, () => {
    if (!alone) return void parseProof(bytesOf(one.proof));
    holds(one, () => {
      const leafHash = fromBase64(one.leafHash, 'leaf hash');
      const { index } = verifyProof(bytesOf(one.proof), leafHash, parseVerifierKey(vkey));
      if (one.index !== undefined) assert.equal(String(index), String(one.index));
    });
  });
}
