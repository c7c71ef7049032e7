/** raw: the bytes themselves, unless they could pass for an entry that was checked. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { accept, base64, bodyOf, hashedRekord, SIGNERS, utf8 } from './proposals.ts';

const raw = (content: Uint8Array): { rawRequestV001: { content: string } } => ({
  rawRequestV001: { content: base64(content) },
});

test('the entry is the bytes, and has no lookup keys', async () => {
  for (const content of [utf8('x'), Uint8Array.of(0, 255), utf8('{ template }'), utf8('[1]'), utf8('{"kind":1}')]) {
    const entry = await accept(raw(content));
    assert.deepEqual(entry, { kind: 'raw', apiVersion: '0.0.1', body: content, keys: [] });
  }
  assert.equal((await accept(raw(new Uint8Array(65_535)))).body.length, 65_535);
});

test('no bytes, and more than a log can hold, are refused', async () => {
  await assert.rejects(accept(raw(utf8(''))), { code: 'malformed' });
  await assert.rejects(accept(raw(new Uint8Array(65_536))), { code: 'limit' });
});

test('what could pass for an entry of another kind is refused, whoever reads it', async () => {
  const body = await bodyOf(hashedRekord(SIGNERS.p256, utf8('x')));
  const forged = [
    body,
    ` ${body}\n`,
    `\ufeff${body}`,
    body.replace('"kind"', '"Kind"'),
    body.replace('"kind"', '"\\u006bind"'),
    body.replace('hashedrekord', 'dsse'),
    '{"kind":"hashedrekord"}',
  ];
  for (const content of forged) {
    await assert.rejects(accept(raw(utf8(content))), /the content looks like an entry of kind (hashedrekord|dsse)/);
  }
  await assert.rejects(accept(raw(utf8('{"kind":"dsse","kind":"other"}'))), /two readers may read differently/);
  const unclean = Uint8Array.from([...utf8('{"kind":"dsse","a":"'), 0xff, ...utf8('"}')]);
  await assert.rejects(accept(raw(unclean)), /looks like an entry of kind dsse/);
});
