/** Entries of sigstore's production log, verified by `stele verify` as an operator would: tiles-spec/vectors/entries.json. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Ran, steleHere, temporaryFolder, VECTORS } from './run-stele.ts';

interface Entry {
  readonly id: string;
  readonly request: { readonly dsseRequestV002?: { readonly envelope: unknown } };
  readonly kind: string;
  readonly apiVersion: string;
  readonly body: string;
  readonly logEntry?: { readonly logIndex: string };
}

const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as T;
const { entries } = read<{ entries: Entry[] }>('entries.json');
const { keys } = read<{ keys: { id: string; vkey: string }[] }>('log-ids.json');
const vkeyOf = (id: string): string => keys.find((key) => key.id === id)?.vkey ?? assert.fail(id);

const folder = temporaryFolder();

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The entry's answer, kept in a file. */
function kept(id: string): { readonly path: string; readonly entry: Entry } {
  const entry = entries.find((one) => one.id === id) ?? assert.fail(id);
  const { kind, apiVersion: version, body, logEntry } = entry;
  const canonicalizedBody = Buffer.from(body).toString('base64');
  const answer = { ...logEntry, kindVersion: { kind, version }, integratedTime: '0', canonicalizedBody };
  return { path: file(`${id}.json`, JSON.stringify(answer)), entry };
}

const verify = (path: string, ...args: readonly string[]): Promise<Ran> =>
  steleHere(['verify', '--vkey', vkeyOf('log2025-1'), '--log-entry', path, ...args]);

test('a signed artifact of the production log verifies, and neither another artifact nor another log does', async () => {
  const { path } = kept('log2025-1-547661');
  const artifact = ['--artifact', file('hello', 'hello, world!')];
  const right = await verify(path, ...artifact);
  assert.equal(right.status, 0, right.stderr);
  assert.match(right.stdout, /hashedrekord entry 547661 of log2025-1\.rekor\.sigstore\.dev, .* tree of size 547662$/m);
  assert.equal((await verify(path, '--artifact', file('other', 'hello, moon!'))).status, 1);
  const elsewhere = await steleHere(['verify', '--vkey', vkeyOf('rekor-local'), '--log-entry', path, ...artifact]);
  assert.deepEqual([elsewhere.status, /another log/.test(elsewhere.stderr)], [1, true]);
});

test('a signed envelope of the production log verifies, and no other envelope does', async () => {
  const { path, entry } = kept('log2025-1-544346');
  const envelope = JSON.stringify(entry.request.dsseRequestV002?.envelope);
  const right = await verify(path, '--envelope', file('envelope.json', envelope));
  assert.equal(right.status, 0, right.stderr);
  assert.match(right.stdout, /dsse entry 544346 of log2025-1\.rekor\.sigstore\.dev, .* tree of size 544347$/m);
  const other = envelope.replace('aGVsbG8', 'aGVsbH8');
  assert.notEqual(other, envelope);
  assert.equal((await verify(path, '--envelope', file('other.json', other))).status, 1);
});
