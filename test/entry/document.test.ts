/** The examples and tables of tiles-spec/entries.md are what the document says they are. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { KEY_DETAILS } from '../../src/entry/algorithms.ts';
import { ENTRY_KINDS, PROPOSAL_DEFAULTS } from '../../src/entry/index.ts';
import { bodyOf } from './proposals.ts';

const DOCUMENT = readFileSync(new URL('../../tiles-spec/entries.md', import.meta.url), 'utf8');

test('the request of the document becomes the body of the document', async () => {
  const [request = '', body = ''] = Array.from(DOCUMENT.matchAll(/```json\n([^`]*)\n```/g), ([, code]) => code);
  assert.equal(await bodyOf(request, {}), body);
});

test('the document knows every kind and label, and the limits', () => {
  const kinds = Array.from(
    DOCUMENT.matchAll(/^\| `(\w+)` \| ([0-9.]+) \| `\w+RequestV\d+` \| (\w+)/gm),
    ([, ...row]) => row,
  );
  const taken = (kind: string): string => (PROPOSAL_DEFAULTS.kinds.includes(kind) ? 'unless' : 'when');
  assert.deepEqual(
    kinds,
    ENTRY_KINDS.map(({ kind, apiVersion }) => [kind, apiVersion, taken(kind)]),
  );
  for (const number of Object.values(KEY_DETAILS)) assert.ok(DOCUMENT.includes(`(${number})`), `${number}`);
  assert.ok(DOCUMENT.includes(`(${PROPOSAL_DEFAULTS.maxPayloadBytes.toLocaleString('en-US')})`));
});
