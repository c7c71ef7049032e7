import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { isNatsUrl, type NatsPlace, natsName, parseNatsUrl } from '../../src/queue/index.ts';

const place = (changes: Partial<NatsPlace>): NatsPlace => ({
  servers: ['nats.example:4222'],
  tls: false,
  stream: 'log',
  replicas: undefined,
  maxBytes: undefined,
  ...changes,
});

test('the URL of a queue on NATS names servers, stream, and what a new stream is made with', () => {
  const cases: readonly [string, Partial<NatsPlace>][] = [
    ['nats://nats.example/log', {}],
    ['nats://nats.example:4222/log', {}],
    ['nats://nats.example:80/log', { servers: ['nats.example:80'] }],
    ['TLS://nats.example/log', { tls: true }],
    ['tls://nats.example:443/log', { tls: true, servers: ['nats.example:443'] }],
    ['nats://a:1,b:2,[::1]:3,c/My-log_1', { servers: ['a:1', 'b:2', '[::1]:3', 'c:4222'], stream: 'My-log_1' }],
    ['nats://[::1]/log', { servers: ['[::1]:4222'] }],
    ['nats://nats.example/log?replicas=3', { replicas: 3 }],
    ['nats://nats.example/log?max-bytes=33554432&replicas=1', { replicas: 1, maxBytes: 33_554_432 }],
  ];
  for (const [url, expected] of cases) {
    assert.deepEqual(parseNatsUrl(url), place(expected), url);
    assert.ok(isNatsUrl(url));
  }
  for (const url of ['s3://bucket/log', 'natsish', 'folder/nats:', 'ws://nats.example/log']) {
    assert.ok(!isNatsUrl(url), url);
  }
});

test('what is no such URL is refused as config, and says why', () => {
  const cases: readonly [string, RegExp][] = [
    ['nats://nats.example', /is not nats:\/\/HOST/],
    ['nats:nats.example/log', /is not nats:\/\/HOST/],
    ['nats:///log', /is not nats:\/\/HOST/],
    ['nats://a,,b/log', /is not nats:\/\/HOST/],
    ['nats://nats.example:99999/log', /is not nats:\/\/HOST/],
    ['nats://nats.example/', /names the stream ""/],
    ['nats://nats.example/log.new', /names the stream "log\.new"/],
    ['nats://nats.example/a/b', /is not nats:\/\/HOST/],
    [`nats://nats.example/${'x'.repeat(33)}`, /names the stream/],
    ['nats://nats.example/log?replicas=0', /a number from 1 to 5/],
    ['nats://nats.example/log?replicas=6', /a number from 1 to 5/],
    ['nats://nats.example/log?replicas=3x', /a number from 1 to 5/],
    ['nats://nats.example/log?replicas=', /a number from 1 to 5/],
    ['nats://nats.example/log?replicas=1&replicas=3', /more than once/],
    ['nats://nats.example/log?max-bytes=1000', /a number from 33554432/],
    ['nats://nats.example/log?replica=3', /has \?replica/],
    ['nats://nats.example/log#x', /is not nats:\/\/HOST/],
  ];
  for (const [url, why] of cases) {
    assert.throws(
      () => parseNatsUrl(url),
      (error) => isSteleError(error, 'config') && why.test(error.message),
      url,
    );
  }
});

test('credentials in a URL are refused, and are not repeated', () => {
  for (const url of ['nats://me:s3cret@nats.example/log', 'tls://s3cret@nats.example/log', 'nats://a,x:s3cret@b/log']) {
    assert.throws(
      () => parseNatsUrl(url),
      (error) => isSteleError(error, 'config') && /NATS_USER/.test(error.message) && !error.message.includes('s3cret'),
    );
  }
});

test('a queue is called by its servers and its stream', () => {
  assert.equal(natsName(parseNatsUrl('nats://a,b:1/log?replicas=3')), 'nats://a:4222,b:1/log');
  assert.equal(natsName(parseNatsUrl('tls://a/log')), 'tls://a:4222/log');
});
