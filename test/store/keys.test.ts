import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { compareKeys, metaFor, parseKey } from '../../src/store/index.ts';
import { parsePrefix } from '../../src/store/keys.ts';

test('a key that could leave the root of a store, or that some store cannot hold, is refused', () => {
  const bad = [
    '',
    '/',
    '/etc/passwd',
    'a//b',
    'a/',
    '.',
    '..',
    '../a',
    'a/..',
    'a/./b',
    'a\\b',
    '..\\a',
    'a\0',
    'a\tb',
    'a\x7f',
    '\ud800',
    'a/\udc00b',
    '.tmp',
    '.tmp/1.0.1',
    'a/.tmp/b',
    '.tmp-again',
    '.lock/exclusive',
    'x'.repeat(256),
    '\u65e5'.repeat(86),
    Array.from({ length: 5 }, () => 'x'.repeat(250)).join('/'),
  ];
  for (const key of bad) {
    assert.throws(
      () => parseKey(key),
      (error) => isSteleError(error, 'malformed'),
      JSON.stringify(key),
    );
  }
});

test('every path of a log, and every odd but harmless name, is a key', () => {
  const good = [
    'checkpoint',
    'log.json',
    'tile/0/x001/x234/067.p/255',
    'journal/0000000000000256',
    '...',
    '.hidden',
    '.well-known/security.txt',
    ' ',
    'a b',
    '%2e%2e',
    '~',
    'x'.repeat(255),
    '\u65e5'.repeat(85),
  ];
  for (const key of good) {
    assert.deepEqual(parseKey(key), key.split('/'));
  }
});

test('keys are in the order of their UTF-8 bytes, beyond 16 bits too', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 6 }),
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.string({ unit: 'binary', maxLength: 3 }),
      (start, a, b) => {
        for (const [left, right] of [
          [start + a, start + b],
          [a, b],
          [a, a],
        ] as const) {
          const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
          assert.equal(Math.sign(compareKeys(left, right)), expected);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a prefix is split into whole folders and the start of a name, and cannot leave the root', () => {
  assert.deepEqual(parsePrefix(''), { folders: [], start: '' });
  assert.deepEqual(parsePrefix('j'), { folders: [], start: 'j' });
  assert.deepEqual(parsePrefix('tile/0/'), { folders: ['tile', '0'], start: '' });
  assert.deepEqual(parsePrefix('tile/0/x0'), { folders: ['tile', '0'], start: 'x0' });
  for (const prefix of ['/', '/a', '../', 'a/../b', 'a//', '.tmp/', '.lock/ex']) {
    assert.throws(
      () => parsePrefix(prefix),
      (error) => isSteleError(error, 'malformed'),
      prefix,
    );
  }
});

test('tiles and bundles are immutable for a year, the checkpoint is never reused unchecked, the rest is kept out of caches', () => {
  const tile = { contentType: 'application/octet-stream', cacheControl: 'public, max-age=31536000, immutable' };
  for (const key of ['tile/0/000', 'tile/entries/x001/067.p/3', 'tile/5/000.p/1']) {
    assert.deepEqual(metaFor(key), tile);
  }
  assert.deepEqual(metaFor('checkpoint'), { contentType: 'text/plain; charset=utf-8', cacheControl: 'no-cache' });
  assert.deepEqual(metaFor('log.json'), { contentType: 'application/json', cacheControl: 'no-cache' });
  for (const key of ['journal/0000000000000000', 'queue/done/x', 'tiles/x', 'checkpoint/x', 'a/log.json']) {
    assert.deepEqual(metaFor(key), { contentType: 'application/octet-stream', cacheControl: 'no-store' });
  }
});
