/** What sigstore's clients know logs by, and a checkpoint of size 1: tiles-spec/vectors/log-ids.json. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { hashLeaf } from '../../src/merkle/index.ts';
import {
  formatCheckpoint,
  generateKey,
  logIdOf,
  openCheckpoint,
  parseSignerKey,
  parseVerifierKey,
  signNote,
  subjectPublicKeyInfo,
  toBase64,
} from '../../src/note/index.ts';

const { keys, checkpoint } = JSON.parse(
  readFileSync(new URL('../../tiles-spec/vectors/log-ids.json', import.meta.url), 'utf8'),
) as {
  readonly keys: readonly {
    id: string;
    name: string;
    type: 'ed25519' | 'ecdsa' | 'rsa';
    publicKey: string;
    logId: string;
    keyId: string;
    vkey: string;
  }[];
  readonly checkpoint: {
    key: string;
    seed: string;
    note: string;
    size: number;
    root: string;
    body: string;
    bytes: number;
  };
};

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

for (const { id, type, publicKey, logId, keyId, vkey } of keys.filter((key) => key.type !== 'rsa')) {
  test(`${id}: the log id, key id and public key of an ${type} key are those of the vector`, () => {
    const verifier = parseVerifierKey(vkey);
    assert.equal(toBase64(logIdOf(verifier)), logId);
    assert.equal(verifier.keyId.toString(16).padStart(8, '0'), keyId);
    assert.equal(toBase64(subjectPublicKeyInfo(verifier)), publicKey);
    const other = vkey.replace(keyId, '00000000');
    assert.throws(() => parseVerifierKey(other), { code: 'malformed', message: /is not the one of this key and name/ });
  });
}

test('the name is in the id of an Ed25519 key, and not in that of an ECDSA key', () => {
  const idOf = (type: string): (string | undefined)[] =>
    keys.filter((key) => key.type === type && !key.id.startsWith('log2025')).map(({ logId }) => logId);
  assert.equal(new Set(idOf('ed25519')).size, 2, 'one key under two names has two ids');
  const { vkey, logId } = keys.find(({ type }) => type === 'ecdsa') ?? assert.fail();
  assert.equal(toBase64(logIdOf(parseVerifierKey(vkey.replace('testkey+', 'other+')))), logId);
});

test('RSA logs, of which there are none, are refused by their type, whose id is that of the vector', () => {
  const { name, publicKey, logId, vkey } = keys.find(({ type }) => type === 'rsa') ?? assert.fail();
  const id = createHash('sha256')
    .update(`${name}\n`)
    .update(Uint8Array.of(0xff))
    .update('PKIX-RSA-PKCS#1v1.5')
    .update(Buffer.from(publicKey, 'base64'));
  assert.equal(id.digest('base64'), logId);
  assert.throws(() => parseVerifierKey(vkey), { code: 'malformed', message: /type 255 is not supported/ });
});

test('the checkpoint of size 1 verifies, and its root is the leaf hash of its one entry', () => {
  const { vkey } = keys.find(({ id }) => id === checkpoint.key) ?? assert.fail();
  const { size, root } = openCheckpoint(utf8(checkpoint.note), parseVerifierKey(vkey));
  assert.deepEqual([size, toBase64(root)], [checkpoint.size, checkpoint.root]);
  assert.equal(utf8(checkpoint.body).length, checkpoint.bytes);
  assert.deepEqual(hashLeaf(utf8(checkpoint.body)), root);
  const altered = checkpoint.note.replace('\n1\n', '\n2\n');
  assert.throws(() => openCheckpoint(utf8(altered), parseVerifierKey(vkey)), { code: 'invalid-proof' });
});

test('signed again with its key, the checkpoint of size 1 has the same bytes', async () => {
  const { name, vkey } = keys.find(({ id }) => id === checkpoint.key) ?? assert.fail();
  const pair = generateKey(name, Uint8Array.from(Buffer.from(checkpoint.seed, 'hex')));
  assert.equal(pair.vkey, vkey);
  const root = Uint8Array.from(Buffer.from(checkpoint.root, 'base64'));
  const text = formatCheckpoint({ origin: name, size: checkpoint.size, root, extensions: [] });
  const note = await signNote(text, [parseSignerKey(pair.skey)]);
  assert.equal(new TextDecoder().decode(note), checkpoint.note);
});
