/** RFC 8785 of what entries are made of, and JSON read as everyone reads it. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Canonical, canonicalize } from '../../src/entry/canonical.ts';
import { type Json, parseJson } from '../../src/entry/json.ts';
import { isSteleError } from '../../src/errors.ts';
import { utf8 } from './proposals.ts';

test('members are sorted by UTF-16 code units, and strings are written as ECMAScript writes them (RFC 8785 §3.2.3)', () => {
  const names = ['€', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', 'ö'];
  const value = Object.fromEntries(names.map((name) => [name, 'x']));
  const sorted = Object.keys(JSON.parse(canonicalize(value)) as object);
  // Numbers first is JavaScript's own order of members; the rest is the order of the RFC's example.
  assert.deepEqual(sorted, ['1', '\r', '\u0080', 'ö', '€', '\u{1f600}', '\ufb33']);
  assert.equal(canonicalize({ b: ['"\\\u000f\n/é'], a: {} }), '{"a":{},"b":["\\"\\\\\\u000f\\n/é"]}');
});

test('the order in which members were made does not matter, and nothing is lost', () => {
  const { value } = fc.letrec<{ value: Canonical }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.string({ unit: 'grapheme' }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  const reversed = (one: Canonical): Canonical => {
    if (typeof one === 'string') return one;
    if (Array.isArray(one)) return one.map(reversed);
    return Object.fromEntries(
      Object.entries(one)
        .reverse()
        .map(([name, member]) => [name, reversed(member as Canonical)]),
    );
  };
  fc.assert(
    fc.property(value, (one) => {
      const text = canonicalize(one);
      assert.equal(canonicalize(reversed(one)), text);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(one)));
    }),
  );
});

/** Maps back to objects; -0 is 0 in JSON. */
function plain(value: Json): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, member]) => [name, plain(member)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

test('JSON is read as JSON.parse reads it, whatever the white space', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
      const text = JSON.stringify(value, null, space);
      assert.deepEqual(plain(parseJson(utf8(text), 'it')), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('text that JSON.parse refuses is refused, and what is read is what it reads', () => {
  const piece = fc.constantFrom(
    ...'{}[],:"\\u00 0123-+.eEa\ntruefalsn\t'.split(''),
    'true',
    'null',
    '"a"',
    '"a":',
    '\u00a0',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      let read: unknown;
      try {
        read = plain(parseJson(utf8(text), 'it'));
      } catch (error) {
        assert.ok(isSteleError(error, 'malformed', 'limit'));
        return;
      }
      assert.deepEqual(read, JSON.parse(text), text);
    }),
    { numRuns: 3_000 },
  );
});

test('a long string with escapes in it is read like any other, and depth is bounded', () => {
  const long = `\\u0041${'A'.repeat(4_000_000)}\\\\`;
  assert.equal(String(parseJson(utf8(`"${long}"`), 'it')).length, 4_000_002);
  const refused = (text: string, code: string, message: RegExp): void =>
    assert.throws(() => parseJson(utf8(text), 'it'), { code, message });
  refused(`{"a":"${'\\"'.repeat(1_000_000)}`, 'malformed', /a string that ends/);
  refused('['.repeat(10_000), 'limit', /nested more than 32 deep/);
});
