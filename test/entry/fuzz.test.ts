/** FUZZ-6, below HTTP: a spoiled request is an entry or a typed error, and never the entry of another. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseCertificate, parseProposal, parsePublicKey, validate, verifySignature } from '../../src/entry/index.ts';
import { isSteleError } from '../../src/errors.ts';
import { ALTERNATIVE_NAMES, certificateOf, dns, email, extension, FULCIO, ip, otherName } from './certificates.ts';
import { sequence, text } from './der-writer.ts';
import {
  ALL_KINDS,
  accept,
  base64,
  dsseRequest,
  hashedRekord,
  type Sendable,
  SIGNERS,
  spkiOf,
  utf8,
  verifierOf,
} from './proposals.ts';

const { p256, rsa2048, ed25519ph } = SIGNERS;
const CERTIFICATE = certificateOf(
  p256.publicKey,
  extension(
    ALTERNATIVE_NAMES,
    sequence(email('a@example.com'), dns('b'), ip(1, 2, 3, 4), otherName(`${FULCIO}.7`, 'c')),
  ),
  extension(`${FULCIO}.8`, text(0x0c, 'https://issuer.example.com')),
);
const REQUESTS: readonly Sendable[] = [
  hashedRekord(p256, utf8('x')),
  hashedRekord(p256, utf8('x'), verifierOf(p256, CERTIFICATE)),
  hashedRekord(rsa2048, utf8('x')),
  hashedRekord(ed25519ph, utf8('x')),
  dsseRequest(utf8('{"a":1}'), p256, rsa2048),
  { rawRequestV001: { content: base64(utf8('some text')) } },
];
const BODIES = new Set(await Promise.all(REQUESTS.map(async (request) => base64((await accept(request)).body))));

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(3),
  insert: fc.uint8Array({ maxLength: 3 }),
});

function edited(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  return edits.reduce((before, { at, remove, insert }) => {
    const place = Math.floor(at * before.length);
    return Uint8Array.from([...before.subarray(0, place), ...insert, ...before.subarray(place + remove)]);
  }, bytes);
}

/** The entry's body in base64, or the code of a typed error; anything else fails the test. */
async function outcome(request: Uint8Array): Promise<string> {
  try {
    return base64((await validate(parseProposal(request, ALL_KINDS), verifySignature)).body);
  } catch (error) {
    if (!isSteleError(error)) throw error;
    assert.ok(['malformed', 'limit', 'invalid-proof'].includes(error.code), error.code);
    assert.ok(error.message.length < 600, `a message of ${error.message.length} characters`);
    return error.code;
  }
}

test('spoiled bytes of a request', async () => {
  const request = fc.constantFrom(...REQUESTS);
  await fc.assert(
    fc.asyncProperty(request, fc.array(edit, { minLength: 1, maxLength: 3 }), async (value, edits) => {
      await outcome(edited(utf8(JSON.stringify(value)), edits));
    }),
    { numRuns: 1_500, endOnFailure: true },
  );
});

/** One value somewhere in the request is another: any JSON, or its own base64 spoiled. */
function replaced(value: unknown, path: readonly number[], by: (old: unknown) => unknown): unknown {
  if (typeof value !== 'object' || value === null || path.length === 0) return by(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return by(value);
  const [step = 0, ...rest] = path;
  const [name, member] = entries[step % entries.length] ?? ['', undefined];
  const changed = replaced(member, rest, by);
  if (Array.isArray(value)) return value.map((one, i) => (String(i) === name ? changed : one));
  return { ...value, [name]: changed };
}

test('a spoiled field of a request', async () => {
  const path = fc.array(fc.nat(3), { maxLength: 6 });
  const spoil = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }).map((json) => () => json as unknown),
    fc.array(edit, { minLength: 1, maxLength: 2 }).map((edits) => (old: unknown) => {
      if (typeof old !== 'string') return old;
      return base64(edited(Uint8Array.from(Buffer.from(old, 'base64')), edits));
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...REQUESTS), path, spoil, async (request, steps, by) => {
      await outcome(utf8(JSON.stringify(replaced(request, steps, by))));
    }),
    { numRuns: 1_500, endOnFailure: true },
  );
});

test('a spoiled signature, digest or key never makes an entry that is not there', async () => {
  const flipped = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), bit: fc.nat(7) });
  const path = fc.constantFrom([0, 0], [0, 1, 0], [0, 1, 1, 0, 0]); // digest, content, rawBytes
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...REQUESTS.slice(0, 4)), path, flipped, async (request, steps, { at, bit }) => {
      const flip = (old: unknown): string => {
        const bytes = Uint8Array.from(Buffer.from(String(old), 'base64'));
        const place = Math.floor(at * bytes.length);
        bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
        return base64(bytes);
      };
      const result = await outcome(utf8(JSON.stringify(replaced(request, steps, flip))));
      const certified = result.length > 20 && Buffer.from(result, 'base64').includes('x509Certificate');
      // Certificates are not judged: one with a changed name, still well formed, is another certificate.
      assert.ok(certified || !BODIES.has(result), 'the same entry from another request');
      assert.ok(certified || ['malformed', 'limit', 'invalid-proof'].includes(result), result);
    }),
    { numRuns: 600, endOnFailure: true },
  );
});

test('spoiled certificates and keys', () => {
  const bytes = fc.constantFrom(CERTIFICATE, spkiOf(p256), spkiOf(rsa2048), spkiOf(ed25519ph));
  fc.assert(
    fc.property(bytes, fc.array(edit, { minLength: 1, maxLength: 3 }), (good, edits) => {
      const spoiled = edited(good, edits);
      for (const read of [() => parseCertificate(spoiled, 'it'), () => parsePublicKey(spoiled, 'it')]) {
        try {
          read();
        } catch (error) {
          if (!isSteleError(error, 'malformed')) throw error;
        }
      }
    }),
    { numRuns: 3_000, endOnFailure: true },
  );
});
