/** Entries of real logs, and others whose bytes are known: tiles-spec/vectors/entries.json. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import {
  type LookupKey,
  openVerifierPool,
  parseProposal,
  preAuthenticationEncoding,
  validate,
} from '../../src/entry/index.ts';
import { hashLeaf, verifyInclusion } from '../../src/merkle/index.ts';
import { openCheckpoint, parseVerifierKey } from '../../src/note/index.ts';
import { ALL_KINDS, accept, bodyOf, type Sendable, utf8 } from './proposals.ts';

interface Entry {
  readonly id: string;
  readonly request: Sendable;
  readonly kind: string;
  readonly apiVersion: string;
  readonly body: string;
  readonly bytes: number;
  readonly leafHash: string;
  readonly dedupId: string;
  readonly pae?: string;
  readonly paeSha256?: string;
  readonly keys: readonly string[];
  readonly logEntry?: {
    readonly logId: { readonly keyId: string };
    readonly inclusionProof: {
      readonly logIndex: string;
      readonly treeSize: string;
      readonly rootHash: string;
      readonly hashes: readonly string[];
      readonly checkpoint: { readonly envelope: string };
    };
  };
}

const { entries, logs } = JSON.parse(
  readFileSync(new URL('../../tiles-spec/vectors/entries.json', import.meta.url), 'utf8'),
) as {
  readonly entries: readonly Entry[];
  readonly logs: readonly { name: string; publicKey: string; logId: string; keyId: string }[];
};

const bytes = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

function written(key: LookupKey): string {
  return Object.values(key)
    .map((part: string | Uint8Array) => (typeof part === 'string' ? part : hex(part)))
    .join(' ');
}

for (const entry of entries) {
  test(`${entry.id}: the request becomes exactly the logged body, leaf hash and lookup keys`, async () => {
    const valid = await accept(entry.request);
    assert.equal(new TextDecoder().decode(valid.body), entry.body);
    assert.equal(valid.body.length, entry.bytes);
    assert.equal(hex(hashLeaf(valid.body)), entry.leafHash);
    assert.equal(createHash('sha256').update(valid.body).digest('hex'), entry.dedupId);
    assert.deepEqual([valid.kind, valid.apiVersion], [entry.kind, entry.apiVersion]);
    assert.deepEqual(valid.keys.map(written), entry.keys);
  });

  test(`${entry.id}: any other digest, payload or signature does not verify`, async () => {
    const text = JSON.stringify(entry.request);
    for (const [from, to] of [
      [/"(digest|payload)":"../, '"$1":"zz'],
      [/"(content|sig)":"(ME.{60})../, '"$1":"$2zz'],
    ] as const) {
      const changed = text.replace(from, to);
      assert.notEqual(changed, text);
      await assert.rejects(bodyOf(changed), { code: 'invalid-proof' });
    }
  });
}

test('the pre-authentication encodings of the envelopes are those that were signed', () => {
  const envelopes = entries.filter(({ kind }) => kind === 'dsse');
  assert.equal(envelopes.length, 2);
  for (const { request, pae, paeSha256 } of envelopes) {
    const { envelope } = request['dsseRequestV002'] as { envelope: { payloadType: string; payload: string } };
    const encoded = preAuthenticationEncoding(envelope.payloadType, bytes(envelope.payload));
    assert.equal(new TextDecoder().decode(encoded), pae);
    assert.equal(createHash('sha256').update(encoded).digest('hex'), paeSha256);
  }
});

const LOGGED = entries.flatMap(({ id, body, logEntry }) => (logEntry === undefined ? [] : [{ id, body, ...logEntry }]));

test('the logs that hold these entries prove it', () => {
  assert.equal(LOGGED.length, 4);
  for (const { body, inclusionProof } of LOGGED) {
    const { logIndex, treeSize, rootHash, hashes, checkpoint } = inclusionProof;
    const place = { index: Number(logIndex), size: Number(treeSize), proof: hashes.map(bytes), root: bytes(rootHash) };
    verifyInclusion({ ...place, leafHash: hashLeaf(utf8(body)) });
    assert.throws(() => verifyInclusion({ ...place, leafHash: hashLeaf(utf8(`${body} `)) }), { code: 'invalid-proof' });
    assert.ok(checkpoint.envelope.includes(`\n${treeSize}\n${rootHash}\n`));
  }
});

test('log ids are those of the logs, and their checkpoints verify under the key', () => {
  for (const { name, publicKey, logId, keyId } of logs) {
    const key = bytes(publicKey).subarray(-32);
    const tagged = Buffer.concat([Uint8Array.of(1), key]);
    const id = createHash('sha256').update(`${name}\n`).update(tagged).digest();
    assert.equal(id.toString('base64'), logId);
    assert.equal(id.subarray(0, 4).toString('hex'), keyId);
    const verifier = parseVerifierKey(`${name}+${keyId}+${tagged.toString('base64')}`);
    for (const entry of LOGGED.filter((one) => one.logId.keyId === logId)) {
      const { checkpoint, treeSize } = entry.inclusionProof;
      assert.equal(openCheckpoint(utf8(checkpoint.envelope), verifier).size, Number(treeSize));
    }
  }
  assert.equal(LOGGED.filter((one) => one.logId.keyId === logs[0]?.logId).length, 2);
});

test('a pool of threads comes to the same entries', async () => {
  const pool = openVerifierPool({ threads: 2 });
  try {
    const bodies = entries.map(async ({ request }) => {
      const { body } = await validate(parseProposal(utf8(JSON.stringify(request)), ALL_KINDS), pool.verify);
      return new TextDecoder().decode(body);
    });
    assert.deepEqual(
      await Promise.all(bodies),
      entries.map(({ body }) => body),
    );
  } finally {
    await pool.close();
  }
});
