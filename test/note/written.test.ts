/** What this room writes can be read; what could not be read is refused before anybody signs it. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { EMPTY_ROOT } from '../../src/merkle/index.ts';
import {
  type Checkpoint,
  formatCheckpoint,
  formatProof,
  fromBase64,
  generateKey,
  openNote,
  parseCheckpoint,
  parseProof,
  parseSignerKey,
  parseVerifierKey,
  signNote,
  toBase64,
} from '../../src/note/index.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const KEY = generateKey('log.example/demo', new Uint8Array(32).fill(1));
const SIGNER = parseSignerKey(KEY.skey);
const VERIFIER = parseVerifierKey(KEY.vkey);
const GOOD: Checkpoint = { origin: 'log.example/demo', size: 7, root: EMPTY_ROOT, extensions: [] };

const refused = (error: unknown): boolean => isSteleError(error, 'malformed', 'limit');

test('a checkpoint that no reader would take for itself is not formatted (CKPT-1, ENC-2, ENC-5)', () => {
  const root = (length: number): Uint8Array => new Uint8Array(length);
  const bad: Partial<Checkpoint>[] = [
    ...[2 ** 53, -1, 1.5, 1e21, Number.NaN, Number.POSITIVE_INFINITY].map((size) => ({ size })),
    ...[0, 31, 33, 64].map((length) => ({ root: root(length) })),
    ...['', 'a\nb', `a\n1\n${toBase64(EMPTY_ROOT)}`, 'a\ud800'].map((origin) => ({ origin })),
    ...[[''], ['a\nb'], ['a\n']].map((extensions) => ({ extensions })),
  ];
  for (const part of bad) assert.throws(() => formatCheckpoint({ ...GOOD, ...part }), refused, JSON.stringify(part));
  for (const size of [0, 2 ** 32, 10 ** 12, 2 ** 53 - 1]) {
    assert.deepEqual(parseCheckpoint(formatCheckpoint({ ...GOOD, size })), { ...GOOD, size });
  }
});

test('a proof that no reader would parse is not formatted (PROOF-1)', () => {
  const good = { index: 0, hashes: [EMPTY_ROOT], checkpoint: utf8('note') };
  assert.deepEqual(parseProof(formatProof(good)), good);
  assert.deepEqual(parseProof(formatProof({ ...good, extra: utf8('') })), { ...good, extra: utf8('') });
  for (const index of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => formatProof({ ...good, index }), refused);
  assert.throws(() => formatProof({ ...good, hashes: [new Uint8Array(31)] }), refused);
});

test('a text without a final newline is never signed: its last line would be read as a signature (NOTE-1)', async () => {
  for (const text of ['', 'text', 'text\n\n— other.example AAAAAAA=']) {
    await assert.rejects(signNote(utf8(text), [SIGNER]), refused, text);
  }
  for (const text of ['text\rmore\n', 'tab\t\n']) await assert.rejects(signNote(utf8(text), [SIGNER]), refused);
  await assert.rejects(signNote(Uint8Array.of(0xff, 0x0a), [SIGNER]), refused);
  await assert.rejects(signNote(utf8('text\n'), []), refused);
});

test('whatever text is signed reads back as that very text (NOTE-2)', async () => {
  const line = fc.constantFrom('', 'a', ' ', '— log.example/demo AAAAAAA=', '\ufeff', '石碑', '\u2028');
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 6 }), async (lines) => {
      const text = utf8(lines.map((each) => `${each}\n`).join(''));
      const opened = openNote(await signNote(text, [SIGNER]), [VERIFIER]);
      assert.deepEqual(opened.text, text);
      assert.equal(opened.verified.length, 1);
    }),
    { numRuns: 60 },
  );
});

test('base64 is read as canonical text or refused with a typed error, however long it is (ENC-1, ENC-6)', () => {
  const near = fc.array(fc.constantFrom('A', 'B', '/', '+', '9', '=', ' ', '\n', '\r', '-', '_', 'é'), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(near, (characters) => {
      const text = characters.join('');
      const canonical = Buffer.from(text, 'base64').toString('base64') === text;
      try {
        const bytes = fromBase64(text, 'text');
        assert.ok(canonical, text);
        assert.equal(toBase64(bytes), text);
      } catch (error) {
        assert.ok(isSteleError(error, 'malformed'), String(error));
        assert.ok(!canonical, text);
      }
    }),
    { numRuns: 3_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = Buffer.from(bytes).toString('base64');
      assert.equal(toBase64(bytes), text);
      assert.deepEqual(fromBase64(text, 'text'), bytes);
    }),
  );
  const long = 'A'.repeat(8 * 2 ** 20);
  assert.equal(fromBase64(long, 'text').length, 6 * 2 ** 20);
  for (const spoiled of [`${long}A`, `${long}AA A`, `${long}A===`])
    assert.throws(() => fromBase64(spoiled, 'text'), refused);
});

test('no refusal repeats more of a hostile text than a line', () => {
  for (const size of ['9x'.repeat(50_000), '9'.repeat(50_000)]) {
    assert.throws(
      () => parseCheckpoint(utf8(`log.example\n${size}\n${toBase64(EMPTY_ROOT)}\n`)),
      (error) => isSteleError(error, 'malformed', 'limit') && error.message.length < 200,
    );
  }
});

test('a name that UTF-8 cannot carry is no key name (NOTE-3)', () => {
  assert.throws(
    () => generateKey('log\ud800.example', new Uint8Array(32)),
    (error) => isSteleError(error, 'config'),
  );
});
