import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { EMPTY_ROOT } from '../../src/merkle/index.ts';
import { isCanonical } from '../../src/note/ed25519-canonical.ts';
import * as node from '../../src/note/ed25519-node.ts';
import * as web from '../../src/note/ed25519-web.ts';
import {
  addSignatures,
  formatCheckpoint,
  formatNote,
  formatProof,
  generateKey,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parseProof,
  parseSignerKey,
  parseVerifierKey,
  signNote,
  validateOrigin,
} from '../../src/note/index.ts';

const seed = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const ORIGIN = 'log.example/demo';
const KEY = generateKey(ORIGIN, seed(1));
const SIGNER = parseSignerKey(KEY.skey);
const VERIFIER = parseVerifierKey(KEY.vkey);
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

async function signedCheckpoint(size = 7): Promise<Uint8Array> {
  return signNote(formatCheckpoint({ origin: ORIGIN, size, root: EMPTY_ROOT, extensions: [] }), [SIGNER]);
}

test('both platforms derive the same keys, make the same signatures, and accept the same ones', () => {
  const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
  fc.assert(
    fc.property(bytes(32), fc.uint8Array({ maxLength: 200 }), fc.nat(63), fc.nat(255), (key, message, at, flip) => {
      const publicKey = node.publicKeyOf(key);
      assert.deepEqual(web.publicKeyOf(key), publicKey);
      const signature = node.signerOf(key)(message);
      assert.deepEqual(web.signerOf(key)(message), signature);
      const altered = signature.map((byte, i) => (i === at ? byte ^ flip : byte));
      const verdict = node.verifierOf(publicKey)(message, altered);
      assert.equal(web.verifierOf(publicKey)(message, altered), verdict);
      assert.equal(verdict, flip === 0);
    }),
    { numRuns: 40 },
  );
});

test('a malleated signature, S + L, is refused on both platforms', () => {
  const publicKey = node.publicKeyOf(seed(3));
  const message = utf8('text\n');
  const signature = node.signerOf(seed(3))(message);
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + L;
  const malleated = Uint8Array.from([
    ...signature.subarray(0, 32),
    ...Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(),
  ]);
  for (const platform of [node, web]) {
    assert.equal(platform.verifierOf(publicKey)(message, signature), true);
    assert.equal(platform.verifierOf(publicKey)(message, malleated), false);
  }
});

test('small-order and non-canonical keys and commitments verify nothing on either platform', () => {
  const P = 2n ** 255n - 19n;
  const little = (value: bigint): Uint8Array =>
    new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse());
  const eight = 0x5fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
  const ys = [0n, 1n, P - 1n, eight, P - eight, P, P + 1n, 2n ** 255n - 1n];
  const points = ys.flatMap((y) => [little(y), little(y + 2n ** 255n)]);
  const zeroS = new Uint8Array(32);
  for (const point of points) {
    for (const commitment of points) {
      const signature = Uint8Array.from([...commitment, ...zeroS]);
      assert.equal(isCanonical(point, signature), false);
      for (const platform of [node, web])
        assert.equal(platform.verifierOf(point)(utf8('any text\n'), signature), false);
    }
  }
  const good = node.signerOf(seed(4))(utf8('x'));
  for (const point of points) {
    const replaced = Uint8Array.from([...point, ...good.subarray(32)]);
    assert.equal(isCanonical(node.publicKeyOf(seed(4)), replaced), false);
  }
});

test('wrong lengths of keys and signatures are refused, not thrown at', () => {
  for (const platform of [node, web]) {
    for (const length of [0, 1, 31, 33, 63, 65]) {
      assert.equal(platform.verifierOf(node.publicKeyOf(seed(1)))(utf8('x'), new Uint8Array(length)), false);
      assert.equal(platform.verifierOf(new Uint8Array(length))(utf8('x'), new Uint8Array(64)), false);
    }
  }
});

test('a checkpoint that was cut at any byte is refused with a typed error (CORRUPT-1)', async () => {
  const note = await signedCheckpoint();
  assert.equal(openCheckpoint(note, VERIFIER).size, 7);
  for (let length = 0; length < note.length; length++) {
    assert.throws(
      () => openCheckpoint(note.subarray(0, length), VERIFIER),
      (error) => isSteleError(error),
      `${length} bytes`,
    );
  }
});

test('a checkpoint whose origin is not the key’s name is refused, whoever signed it', async () => {
  const note = await signNote(
    formatCheckpoint({ origin: 'other.example', size: 1, root: EMPTY_ROOT, extensions: [] }),
    [SIGNER],
  );
  assert.throws(
    () => openCheckpoint(note, VERIFIER),
    (error) => isSteleError(error, 'unverified') && /other\.example/.test(error.message),
  );
});

test('signature lines of two notes merge without repeats, and only for one text', async () => {
  const other = parseSignerKey(generateKey('witness.example/w', seed(2)).skey);
  const body = formatCheckpoint({ origin: ORIGIN, size: 1, root: EMPTY_ROOT, extensions: [] });
  const [one, two] = [await signNote(body, [SIGNER]), await signNote(body, [other, SIGNER])];
  const merged = addSignatures(one, two);
  assert.deepEqual(
    parseNote(merged).signatures.map(({ name }) => name),
    [ORIGIN, 'witness.example/w'],
  );
  assert.deepEqual(addSignatures(merged, two), merged);
  assert.throws(
    () => addSignatures(one, parseNoteOf('other\n', two)),
    (error) => isSteleError(error, 'conflict'),
  );
});

function parseNoteOf(newText: string, note: Uint8Array): Uint8Array {
  return formatNote({ text: utf8(newText), signatures: parseNote(note).signatures });
}

/** Bytes near a valid value: a few bytes replaced, removed, or doubled. */
function mutated(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.nat(bytes.length - 1),
    kind: fc.constantFrom('set', 'drop', 'double'),
    byte: fc.nat(255),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    const out = [...bytes];
    for (const { at, kind, byte } of edits) {
      if (kind === 'set') out[at] = byte;
      else if (kind === 'drop') out.splice(at, 1);
      else out.splice(at, 0, byte);
    }
    return Uint8Array.from(out);
  });
}

function onlyTyped(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    assert.ok(isSteleError(error), `not a typed error: ${String(error)}`);
    return false;
  }
}

test('mutated notes throw nothing but typed errors, and what parses re-encodes to the input (FUZZ-1)', async () => {
  const note = await signedCheckpoint();
  fc.assert(
    fc.property(fc.oneof(mutated(note), fc.uint8Array({ maxLength: 300 })), (bytes) => {
      onlyTyped(() => assert.deepEqual(formatNote(parseNote(bytes)), bytes));
      const same = Buffer.from(bytes).equals(note);
      // Only a changed line of a key that is not ours could pass; the signed text cannot change.
      onlyTyped(() =>
        assert.equal(
          same || text(openCheckpoint(bytes, VERIFIER).bytes).startsWith(text(note).split('\n\n')[0] ?? ''),
          true,
        ),
      );
    }),
    { numRuns: 2_000 },
  );
});

test('mutated checkpoint bodies and proofs throw nothing but typed errors, and re-encode to the input (FUZZ-1)', async () => {
  const body = formatCheckpoint({ origin: ORIGIN, size: 123_456, root: EMPTY_ROOT, extensions: ['more'] });
  fc.assert(
    fc.property(mutated(body), (bytes) => {
      onlyTyped(() => assert.deepEqual(formatCheckpoint(parseCheckpoint(bytes)), bytes));
    }),
    { numRuns: 1_000 },
  );
  const proof = formatProof({
    index: 5,
    hashes: [EMPTY_ROOT, EMPTY_ROOT],
    extra: utf8('x'),
    checkpoint: await signedCheckpoint(),
  });
  fc.assert(
    fc.property(mutated(proof), (bytes) => {
      onlyTyped(() => assert.deepEqual(formatProof(parseProof(bytes)), bytes));
    }),
    { numRuns: 1_000 },
  );
});

test('mutated keys throw nothing but typed errors, and a signer key is never in the message', () => {
  fc.assert(
    fc.property(mutated(utf8(KEY.vkey)), mutated(utf8(KEY.skey)), (vkey, skey) => {
      onlyTyped(() => assert.equal(parseVerifierKey(text(vkey)).vkey, text(vkey)));
      try {
        parseSignerKey(text(skey));
      } catch (error) {
        assert.ok(isSteleError(error, 'malformed'));
        assert.ok(!error.message.includes(KEY.skey.slice(-20)));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('generated keys survive the round trip, and sign under their name', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const { skey, vkey } = generateKey('a.example/b', bytes);
      assert.equal(parseSignerKey(skey).verifierKey, vkey);
      assert.equal(parseVerifierKey(vkey).keyId, parseSignerKey(skey).keyId);
    }),
    { numRuns: 20 },
  );
  assert.throws(
    () => generateKey('a b', new Uint8Array(randomBytes(32))),
    (error) => isSteleError(error, 'config'),
  );
});

test('origins that no log should have are refused with the reason', () => {
  for (const good of ['log.example', 'log.example/demo', '石碑.example', 'a']) validateOrigin(good);
  const bad = ['', 'https://log.example', 'log.example/', 'two words', 'a+b', 'a\nb', 'x'.repeat(256)];
  for (const origin of bad)
    assert.throws(
      () => validateOrigin(origin),
      (error) => isSteleError(error, 'config'),
      origin,
    );
});
