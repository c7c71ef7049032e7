/** The parts of the server that need no server: which path is what, who is whom, and what there is room for. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { clientOf } from '../../src/server/clients.ts';
import { API_PATHS, parseTokens, routeOf } from '../../src/server/index.ts';
import { BodyMemory } from '../../src/server/request-body.ts';
import { tilePath } from '../../src/tiles/index.ts';

/** Objects of a log, by their paths at the root. */
const OBJECTS: readonly [path: string, name: string][] = [
  ['/checkpoint', 'checkpoint'],
  ['/log.json', 'log.json'],
  ['/successor', 'successor'],
  ['/tile/0/000', 'tile'],
  ['/tile/0/000.p/1', 'tile'],
  ['/tile/0/000.p/255', 'tile'],
  ['/tile/63/x001/000', 'tile'],
  ['/tile/0/x001/x234/067', 'tile'],
  ['/tile/entries/000', 'entry bundle'],
  ['/tile/entries/x001/234.p/9', 'entry bundle'],
];

test('the objects of a log are at the root and below /api/v2, whatever the query', () => {
  for (const [path, name] of OBJECTS) {
    const route = { kind: 'object', name, key: path.slice(1) };
    for (const target of [path, `/api/v2${path}`, `${path}?`, `${path}?a=1?b`, `/api/v2${path}?../../x`]) {
      assert.deepEqual(routeOf(target), route, target);
    }
  }
});

test('what else a server answers is at one path each, which is not repeated below /api/v2', () => {
  for (const path of Object.keys(API_PATHS)) {
    assert.deepEqual(routeOf(path), { kind: 'api', name: path });
    assert.deepEqual(routeOf(`${path}?x`), { kind: 'api', name: path });
    assert.equal(routeOf(`/api/v2${path}`).kind, 'none', path);
  }
});

test('no other spelling of a path is a path (TILES-19)', () => {
  const others = [
    '',
    '/',
    '*',
    '?',
    '?/checkpoint',
    'checkpoint',
    '//checkpoint',
    '/checkpoint/',
    '/checkpoint#',
    '/checkpoint%3F',
    '/checkpoin%74',
    '/CHECKPOINT',
    '/./checkpoint',
    '/x/../checkpoint',
    '/api/checkpoint',
    '/api/v2',
    '/api/v2/',
    '/api/v2//checkpoint',
    '/api/v2checkpoint',
    '/api/v2/api/v2/checkpoint',
    '/api/v1/checkpoint',
    '/API/v2/checkpoint',
    '/api%2Fv2/checkpoint',
    '/api/v2/log',
    '/api/v2/log/entries/',
    '/api/v2/log//entries',
    '/log/entries',
    '/metrics/',
    '/constructor',
    '/__proto__',
    '__proto__',
    'toString',
    '/api/v2/tile/0/0',
    '/tile/',
    '/tile/0/',
    '/tile/0/00',
    '/tile/0/1000',
    '/tile/0/x000/001',
    '/tile/0/001/001',
    '/tile/64/000',
    '/tile/0/000.p/0',
    '/tile/0/000.p/256',
    '/tile/0/000.p/01',
    '/tile/entries/0/000',
    '/tile/data/000',
    `/tile/0/${'x999/'.repeat(6)}999`,
    'http://log/checkpoint',
    '/lock',
    '/journal/0000000000000000',
  ];
  for (const target of others) assert.deepEqual(routeOf(target), { kind: 'none', name: 'none' }, target);
});

test('every tile of a log is found at its path, and nothing that is not text throws', () => {
  const tile = fc.record({ level: fc.nat(63), n: fc.nat(2 ** 31), width: fc.integer({ min: 1, max: 256 }) });
  fc.assert(
    fc.property(tile, (one) => {
      const key = tilePath(one);
      assert.deepEqual(routeOf(`/${key}`), { kind: 'object', name: 'tile', key });
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('', '/', '/tile/0/', '/api/v2/'), (text, prefix) => {
      const route = routeOf(prefix + text);
      assert.ok(route.kind === 'none' || `${prefix}${text}`.includes(route.kind === 'object' ? route.key : route.name));
    }),
  );
});

test('a client is an IPv4 address, however it is written, or the /64 that an IPv6 address is in', () => {
  const clients: readonly [client: string, addresses: readonly string[]][] = [
    ['203.0.113.7', ['203.0.113.7', '::ffff:203.0.113.7', '::FFFF:203.0.113.7']],
    ['203.0.113.8', ['203.0.113.8']],
    [
      '2001:db8:1:2::/64',
      ['2001:db8:1:2::', '2001:db8:1:2::1', '2001:0db8:0001:0002:ffff:ffff:ffff:ffff', '2001:DB8:1:2:3:4:5:6'],
    ],
    ['2001:db8:1:3::/64', ['2001:db8:1:3::1', '2001:db8:1:3:0:0:192.0.2.1']],
    ['2001:db8:0:0::/64', ['2001:db8::1', '2001:db8:0:0:1::', '2001:db8::a:0:0:1']],
    ['fe80:0:0:0::/64', ['fe80::1', 'fe80::1%eth0', 'fe80::2%25']],
    ['0:0:0:0::/64', ['::', '::1', '0:0:0:0:0:0:0:1']],
  ];
  for (const [client, addresses] of clients) {
    for (const address of addresses) assert.equal(clientOf(address), client, address);
  }
});

test('an IPv4 address that is mapped into IPv6 is one client in every spelling, also of hexadecimal digits', () => {
  for (const address of ['::ffff:cb00:7107', '0:0:0:0:0:ffff:203.0.113.7', '0000::ffff:CB00:7107']) {
    assert.equal(clientOf(address), '203.0.113.7', address);
  }
});

test('what is no address at all is a client of its own', () => {
  for (const text of ['', 'unknown', '_hidden', '203.0.113.7:80', '1:2', '[2001:db8::1]']) {
    assert.equal(clientOf(text), text);
  }
});

/** Bytes that come in chunks of these lengths. */
async function* chunksOf(...lengths: number[]): AsyncGenerator<Uint8Array> {
  for (const length of lengths) yield new Uint8Array(length);
}

test('a body takes memory as it comes and until it is given back, and none when it cannot be read', async () => {
  const memory = new BodyMemory(100);
  const held = await memory.read(chunksOf(30, 0, 30), 60);
  assert.deepEqual([held.length, memory.taken], [60, 60]);
  await assert.rejects(memory.read(chunksOf(30, 11), 60), { code: 'busy' });
  await assert.rejects(memory.read(chunksOf(30, 1), 30), { code: 'limit' });
  const broken = (async function* () {
    yield new Uint8Array(10);
    throw new Error('cut');
  })();
  await assert.rejects(memory.read(broken, 60), /cut/);
  assert.equal(memory.taken, 60);
  assert.equal((await memory.read(chunksOf(40), 60)).length, 40);
  memory.give(held);
  assert.equal(memory.taken, 40);
  assert.equal((await memory.read(chunksOf(), 60)).length, 0);
});

const FIRST = 'first-token-0123456789';

test('a bad line of a tokens file is named by its number, and never shown', () => {
  const cases: readonly [text: string, message: RegExp][] = [
    ['', /^tokens: there is no token in it$/],
    ['# nothing\n\n  \n', /^tokens: there is no token in it$/],
    [`${FIRST}\nshort-secret`, /^tokens, line 2: a token is 16 or more of /],
    [`# one\n\n${FIRST} secret-secret-secret\n`, /^tokens, line 3: /],
    [`${FIRST}\r\nsecret,secret,secret`, /^tokens, line 2: /],
    ['secret=secret=secret', /^tokens, line 1: /],
    ['sécret-sécret-sécret', /^tokens, line 1: /],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseTokens(text, 'tokens'),
      (error) =>
        isSteleError(error, 'config') && message.test(error.message) && !/s[eé]cret|first-token/.test(error.message),
      text,
    );
  }
});
