/** The TrustedRoot of logs whose keys and ids are known: tiles-spec/vectors/log-ids.json, and keys of notes.json. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { steleHere, VECTORS } from './run-stele.ts';

const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, VECTORS), 'utf8')) as T;
const { keys } = read<{
  keys: { id: string; name: string; type: string; publicKey: string; logId: string; vkey: string }[];
}>('log-ids.json');

async function tlogsOf(...vkeys: readonly string[]): Promise<unknown[]> {
  const made = await steleHere(['trusted-root', ...vkeys.flatMap((vkey) => ['--vkey', vkey])]);
  assert.equal(made.status, 0, made.stderr);
  return (JSON.parse(made.stdout) as { tlogs: unknown[] }).tlogs;
}

test('a log is trusted by the whole of its id; a checkpointKeyId, whose four bytes clients refuse, is left out', async () => {
  const known = keys.filter(({ type }) => type !== 'rsa');
  const labels: Readonly<Record<string, string>> = { ed25519: 'PKIX_ED25519', ecdsa: 'PKIX_ECDSA_P256_SHA_256' };
  assert.deepEqual(
    await tlogsOf(...known.map(({ vkey }) => vkey)),
    known.map(({ name, type, publicKey, logId }) => ({
      baseUrl: `https://${name}`,
      hashAlgorithm: 'SHA2_256',
      publicKey: {
        rawBytes: publicKey,
        keyDetails: labels[type],
        validFor: { start: '1970-01-01T00:00:00Z' },
      },
      logId: { keyId: logId },
    })),
  );
  assert.equal(known.length, 4);
});

test('the label of an ECDSA key names its curve', async () => {
  const { ecdsa } = read<{ ecdsa: { label: string; vkey: string }[] }>('notes.json');
  for (const [curve, label] of [
    ['P-256', 'PKIX_ECDSA_P256_SHA_256'],
    ['P-384', 'PKIX_ECDSA_P384_SHA_384'],
    ['P-521', 'PKIX_ECDSA_P521_SHA_512'],
  ] as const) {
    const { vkey } = ecdsa.find((one) => one.label === curve) ?? assert.fail(curve);
    const [tlog] = (await tlogsOf(vkey)) as { publicKey: { keyDetails: string } }[];
    assert.equal(tlog?.publicKey.keyDetails, label);
  }
});

test('the key of an RSA log is refused by its type', async () => {
  const { vkey = '' } = keys.find(({ type }) => type === 'rsa') ?? {};
  const { status, stderr } = await steleHere(['trusted-root', '--vkey', vkey]);
  assert.equal(status, 2);
  assert.match(stderr, /type 255 is not supported/);
});
