/** cosign v3, unmodified, against `stele serve`: signing and verifying with a key. */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { stele } from '../cli/run-stele.ts';
import { serveNewLog } from '../sigstore/served-log.ts';
import { type Ended, realPrograms, runProgram } from './real-programs.ts';

const LIMIT_MS = 30_000;

test('cosign signs a file and an attestation with a key, and verifies both; what was changed it refuses', async (t) => {
  const programs = realPrograms(t, 'cosign');
  if (programs === undefined) return;
  const log = await serveNewLog();
  t.after(() => log.stop());
  const at = (name: string): string => join(log.folder, name);
  const cosign = (...args: readonly string[]): Promise<Ended> =>
    runProgram(programs.cosign, args, LIMIT_MS, { HOME: log.folder, COSIGN_PASSWORD: 'x' });
  const succeeds = async (...args: readonly string[]): Promise<void> => {
    const { status, stderr } = await cosign(...args);
    assert.equal(status, 0, `cosign ${args.join(' ')}: ${stderr}`);
  };
  for (const [args, out] of [
    [['trusted-root', log.dir], 'tr.json'],
    [['signing-config', `${log.url}/`], 'sc.json'],
  ] as const) {
    const made = await stele([...args, '-o', at(out)]);
    assert.equal(made.status, 0, made.stderr);
  }
  await writeFile(at('file'), 'an artifact\n');
  await writeFile(at('other'), 'another artifact\n');
  await writeFile(at('predicate'), '{"built":"here"}');
  await succeeds('generate-key-pair', '--output-key-prefix', at('cosign'));
  const signing = [
    '--yes',
    '--key',
    at('cosign.key'),
    '--signing-config',
    at('sc.json'),
    '--trusted-root',
    at('tr.json'),
  ];
  const verifying = ['--key', at('cosign.pub'), '--trusted-root', at('tr.json')];

  await succeeds('sign-blob', ...signing, '--bundle', at('blob.json'), at('file'));
  await succeeds('verify-blob', ...verifying, '--bundle', at('blob.json'), at('file'));
  await succeeds(
    ...['attest-blob', ...signing, '--predicate', at('predicate'), '--type', 'custom'],
    ...['--bundle', at('attestation.json'), at('file')],
  );
  const attested = ['verify-blob-attestation', ...verifying, '--type', 'custom', '--bundle', at('attestation.json')];
  await succeeds(...attested, at('file'));

  for (const bundle of ['blob.json', 'attestation.json']) {
    const [entry] = JSON.parse(await readFile(at(bundle), 'utf8')).verificationMaterial.tlogEntries;
    assert.deepEqual(entry.kindVersion, { kind: 'hashedrekord', version: '0.0.2' }, bundle);
  }
  assert.equal((await cosign('verify-blob', ...verifying, '--bundle', at('blob.json'), at('other'))).status, 1);
  assert.equal((await cosign(...attested, at('other'))).status, 1);
  const tampered = (await readFile(at('blob.json'), 'utf8')).replace(/"canonicalizedBody": ?"ey.{6}/, '$&AAAA');
  await writeFile(at('tampered.json'), tampered);
  assert.equal((await cosign('verify-blob', ...verifying, '--bundle', at('tampered.json'), at('file'))).status, 1);

  // The same file again: another signature, another entry. And the log is whole.
  await succeeds('sign-blob', ...signing, '--bundle', at('again.json'), at('file'));
  const checked = await stele(['fsck', log.dir, '--json']);
  assert.equal(checked.status, 0, checked.stderr);
});
