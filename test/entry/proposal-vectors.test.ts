/** What proposals become, or that they are refused: tiles-spec/vectors/proposals.json, which real Rekor servers were asked. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { KEY_DETAILS } from '../../src/entry/algorithms.ts';
import { hashLeaf } from '../../src/merkle/index.ts';
import { accept, bodyOf, PROPOSALS, requestOf } from './proposals.ts';

const { cases, entries, labels, labelNumbers } = PROPOSALS;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

for (const { id, rule, request, entry, says, differs } of cases) {
  const verdict = entry === undefined ? 'is refused' : `becomes ${entry}`;
  test(`${rule}: ${id} ${verdict}${differs ? ', not as by Rekor' : ''}`, async () => {
    const bytes = requestOf(request);
    if (entry !== undefined) {
      assert.equal(await bodyOf(bytes), entries[entry]?.body);
      return;
    }
    await assert.rejects(accept(bytes), (error: Error & { code?: string }) => {
      assert.ok(['malformed', 'limit', 'invalid-proof'].includes(error.code ?? ''), `${error.code}: ${error.message}`);
      assert.ok(says !== undefined && error.message.includes(says), error.message);
      return true;
    });
  });
}

for (const [name, { kind, apiVersion, body, bytes, leafHash, dedupId }] of Object.entries(entries)) {
  test(`${name}: kind, length, leaf hash and dedup id of its body are those of the vector`, async () => {
    const { request } = cases.find(({ entry }) => entry === name) ?? assert.fail('a proposal that becomes it');
    const valid = await accept(requestOf(request));
    assert.deepEqual([valid.kind, valid.apiVersion, valid.body.length], [kind, apiVersion, bytes]);
    assert.equal(hex(hashLeaf(valid.body)), leafHash);
    assert.equal(createHash('sha256').update(body).digest('hex'), dedupId);
  });
}

/** The proposal that became an entry, with another label. */
function relabelled(entry: string, keyDetails: string | number): string {
  const { request } = cases.find((one) => one.entry === entry) ?? assert.fail(entry);
  const text = new TextDecoder().decode(requestOf(request));
  return text.replace(/"keyDetails":"\w+"/, `"keyDetails":${JSON.stringify(keyDetails)}`);
}

for (const { key, entry, accepted } of labels) {
  test(`the label of a ${key} key, by name or by number, counts for its hash alone, as upstream`, async () => {
    for (const [label, number] of Object.entries(labelNumbers)) {
      const body = entries[entry]?.body.replace(/"keyDetails":"\w+"/, `"keyDetails":"${label}"`);
      for (const given of [label, number]) {
        const sent = bodyOf(relabelled(entry, given));
        if (accepted.includes(label)) assert.equal(await sent, body, String(given));
        else await assert.rejects(sent, { code: 'malformed', message: /does not go with|is not here/ }, String(given));
      }
    }
  });
}

test('the labels of the vectors are all that this log takes, and every key goes with some of them', () => {
  assert.deepEqual(labelNumbers, KEY_DETAILS);
  assert.deepEqual(
    labels.map(({ key }) => key),
    ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096', 'ed25519'],
  );
  const taken = new Set(labels.flatMap(({ accepted }) => accepted));
  // The label of pure Ed25519 goes with envelopes alone.
  assert.deepEqual([...taken, 'PKIX_ED25519'].sort(), Object.keys(KEY_DETAILS).sort());
});
