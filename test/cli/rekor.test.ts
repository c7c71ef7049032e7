/** The verbs of rekor-cli, as a user has them: a server, a key, some files. */

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { hashLeaf } from '../../src/merkle/index.ts';
import { parseSignerKey, parseVerifierKey, type Successor, signSuccessor } from '../../src/note/index.ts';
import { certificateOf } from '../entry/certificates.ts';
import { pae } from '../entry/proposals.ts';
import { newLog, type Served, type ServedLog, serve, serveNewLog } from '../sigstore/served-log.ts';
import { type Ran, steleHere } from './run-stele.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

let log: ServedLog;
const at = (name: string): string => join(log.folder, name);
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content);
  return at(name);
};
const ok = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> => {
  const ran = await steleHere(args, { env });
  assert.equal(ran.status, 0, `stele ${args.join(' ')}: ${ran.stderr}`);
  return ran;
};
/** The flags of an artifact, its signature and its key, whose files are written. */
const signed = (name: string, content = name): string[] => {
  const signature = sign('sha256', Buffer.from(content), privateKey);
  return [
    ...['--artifact', file(name, content), '--signature', file(`${name}.sig`, signature.toString('base64'))],
    ...['--public-key', at('key.pem')],
  ];
};

before(async () => {
  log = await serveNewLog('--entries.kinds', 'hashedrekord,dsse');
  file('key.pem', publicKey.export({ format: 'pem', type: 'spki' }));
  file('key.der', publicKey.export({ format: 'der', type: 'spki' }));
});
after(() => log.stop());

test('an upload is verified, kept, and verified again offline from what was kept', async () => {
  const kept = at('kept.json');
  const uploaded = await ok(['upload', log.url, ...signed('app'), '--vkey', log.vkey, '-o', kept, '--json']);
  const { index, verified, entry } = JSON.parse(uploaded.stdout);
  assert.deepEqual([verified, entry], [true, JSON.parse(readFileSync(kept, 'utf8'))]);
  const again = await ok(['upload', log.url, ...signed('app').with(3, at('app.sig')), '--vkey', log.vkey]);
  const offline = ['verify', '--vkey', log.vkey, '--log-entry', kept];
  assert.match(
    (await ok([...offline, ...signed('app').slice(0, 2)])).stdout,
    new RegExp(`hashedrekord entry ${index} `),
  );
  assert.ok(again.stdout.trim() !== '');
  await ok([...offline, '--public-key', at('key.der')]);
  await ok([...offline, '--artifact-hash', createHash('sha256').update('app').digest('hex')]);
  for (const wrong of [
    ['--artifact', file('other', 'other')],
    ['--artifact-hash', `sha256:${'0'.repeat(64)}`],
    ['--signature', file('other.sig', sign('sha256', Buffer.from('app'), privateKey))],
  ]) {
    const { status, stderr } = await steleHere([...offline, ...wrong]);
    assert.equal(status, 1, wrong[0]);
    assert.match(stderr, /the entry (is not about|has not the signature)/);
  }
  const tampered = readFileSync(kept, 'utf8').replace(/"treeSize": "\d+"/, '"treeSize": "999"');
  const refused = await steleHere(['verify', '--vkey', log.vkey, '--log-entry', file('tampered.json', tampered)]);
  assert.deepEqual([refused.status, /treeSize is not that of its checkpoint/.test(refused.stderr)], [1, true]);
});

test('an entry is found again in the log: by index, by what it is made of, by its leaf hash', async () => {
  const files = signed('found');
  const { index, entry } = JSON.parse((await ok(['upload', log.url, ...files, '--vkey', log.vkey, '--json'])).stdout);
  const env = { STELE_VKEY: log.vkey };
  await ok(['verify', '--log', log.url, '--log-index', String(index), ...files], env);
  assert.match((await ok(['verify', '--log', log.dir, ...files])).stdout, new RegExp(`entry ${index} of`));
  const other = signed('never uploaded');
  assert.equal((await steleHere(['verify', '--log', log.dir, ...other])).status, 1);
  assert.equal((await steleHere(['verify', '--log', log.dir, '--log-index', String(index), ...other])).status, 1);
  const body = Buffer.from(entry.canonicalizedBody, 'base64');
  const leaf = Buffer.from(hashLeaf(body)).toString('hex');
  assert.deepEqual((await ok(['get', log.dir, leaf])).bytes, body);
  assert.deepEqual((await ok(['get', log.url, `0123456789abcdef${leaf}`], env)).bytes, body);
  const asEntry = JSON.parse((await ok(['get', log.dir, leaf, '--log-entry'])).stdout);
  assert.deepEqual([asEntry.logIndex, asEntry.canonicalizedBody], [String(index), entry.canonicalizedBody]);
  assert.equal((await steleHere(['get', log.dir, 'a'.repeat(64)])).status, 1);
});

test('a certificate, an envelope and a queue without a server do as well', async () => {
  const certificate = certificateOf(publicKey);
  const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString('base64')}\n-----END CERTIFICATE-----\n`;
  const withCertificate = signed('certified').with(5, file('cert.pem', pem));
  const { entry } = JSON.parse(
    (await ok(['upload', log.url, ...withCertificate, '--vkey', log.vkey, '--json'])).stdout,
  );
  assert.match(Buffer.from(entry.canonicalizedBody, 'base64').toString(), /x509Certificate/);
  const kept = file('certified.json', JSON.stringify(entry));
  await ok(['verify', '--vkey', log.vkey, '--log-entry', kept, '--public-key', at('key.pem')]);

  const payload = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}');
  const sig = sign('sha256', pae(PAYLOAD_TYPE, payload), privateKey).toString('base64');
  const envelope = { payload: payload.toString('base64'), payloadType: PAYLOAD_TYPE, signatures: [{ sig, keyid: '' }] };
  const envelopeFile = file('envelope.json', JSON.stringify(envelope));
  for (const type of ['hashedrekord', 'dsse']) {
    const flags = ['--envelope', envelopeFile, '--public-key', at('key.pem')];
    const out = at(`${type}.json`);
    await ok(['upload', log.url, '--type', type, ...flags, '--vkey', log.vkey, '-o', out]);
    assert.equal(JSON.parse(readFileSync(out, 'utf8')).kindVersion.kind, type);
    await ok(['verify', '--vkey', log.vkey, '--log-entry', out, ...flags]);
    const changed = { ...envelope, payload: Buffer.from('{}').toString('base64') };
    const wrong = ['--envelope', file('changed.json', JSON.stringify(changed))];
    assert.equal((await steleHere(['verify', '--vkey', log.vkey, '--log-entry', out, ...wrong])).status, 1);
  }

  const byQueue = await ok(['upload', log.dir, ...signed('through the queue'), '--json']);
  assert.equal(JSON.parse(byQueue.stdout).verified, true);
});

test('what is wrong with an upload is told, with the exit status that a script wants', async () => {
  const good = signed('good');
  const pem = `-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`;
  const cases: readonly (readonly [args: readonly string[], status: number, why: RegExp])[] = [
    [['upload', log.url, ...good.with(1, file('x', 'x'))], 1, /the key did not sign this digest/],
    [['upload', log.url, ...good.slice(0, 4)], 2, /--public-key/],
    [['upload', log.url, ...good.slice(0, 2), ...good.slice(4)], 2, /--signature/],
    [['upload', log.url, ...good.slice(2)], 2, /one of --artifact, --artifact-hash and --envelope/],
    [['upload', log.url, ...good, '--artifact-hash', 'ff'], 2, /one of/],
    [['upload', log.url, ...good.with(5, file('private.pem', pem))], 2, /a PRIVATE KEY: a PUBLIC KEY/],
    [['upload', log.url, ...good.with(5, file('junk', 'junk'))], 2, /junk/],
    [['upload', log.url, ...good.with(1, at('absent'))], 2, /absent/],
    [['upload', log.url, '--type', 'dsse', ...good], 2, /--envelope/],
    [['upload', 'http://127.0.0.1:1', ...good], 3, /cannot be reached/],
    [['upload', log.url, ...good, '--vkey', log.vkey.replace(/.{8}$/, 'AAAAAAA=')], 2, /--vkey/],
    [['verify', '--log-entry', at('kept.json'), '--log', log.dir], 2, /one of --proof, --log-entry and --log/],
    [['verify', '--vkey', log.vkey, '--log-entry', file('no.json', '{}')], 1, /logId/],
    [['verify', '--vkey', log.vkey, '--log-entry', file('no.txt', 'no')], 1, /is not JSON/],
  ];
  for (const [args, status, why] of cases) {
    const ran = await steleHere(args);
    assert.deepEqual([ran.status, why.test(ran.stderr)], [status, true], `${args.join(' ')}: ${ran.stderr}`);
  }
  const rival = (await steleHere(['key', 'generate', '--origin', 'log.example', '-o', '-'])).stderr.trim();
  const unverified = await steleHere(['upload', log.url, ...good, '--vkey', rival]);
  assert.deepEqual([unverified.status, /another log/.test(unverified.stderr)], [1, true]);
});

test('a server that is busy is asked again, and one that is not there in time is given up', async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(503, { 'retry-after': '1' }).end('{"code":14,"message":"busy","details":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ran = await steleHere(['upload', url, ...signed('busy'), '--timeout', '2500ms']);
  server.close();
  assert.deepEqual([ran.status, ran.stderr.trim()], [3, 'stele: busy']);
  assert.equal(asked, 3);
});

test('loginfo holds a log against what was seen of it, and tells a log that went back', async () => {
  const env = { XDG_STATE_HOME: at('state') };
  assert.match((await ok(['loginfo', log.dir], env)).stdout, /not seen before/);
  await ok(['upload', log.url, ...signed('more')]);
  assert.match((await ok(['loginfo', log.dir], env)).stdout, /consistent with size \d+, seen before/);
  const { size } = JSON.parse((await ok(['loginfo', log.dir, '--json'], env)).stdout);
  const [older] = await Promise.all([ok(['logproof', log.dir, '--first-size', '1', '--last-size', '2', '--json'])]);
  assert.equal(JSON.parse(older.stdout).lastSize, 2);
  assert.equal((await steleHere(['logproof', log.dir, '--first-size', String(size + 1)])).status, 2);

  // Another log under the same name and key: a fork.
  const key = readFileSync(join(log.dir, 'key'), 'utf8').trim();
  const forked = at('forked');
  await ok(['init', forked, '--origin', 'log.example'], { STELE_KEY: key });
  await ok(['add', '-C', forked, '--lines', file('lines', 'a\n'.repeat(3))]);
  await ok(['sequence', '-C', forked, '--once'], { STELE_KEY: key });
  const ran = await steleHere(['loginfo', forked], { env: { ...env, STELE_KEY: key } });
  assert.equal(ran.status, 1, ran.stderr);
});

test('a frozen log names its successor under its own key, and uploads go on there', async (t) => {
  const [old, next] = await Promise.all([newLog('old.example'), newLog('next.example')]);
  const serving: Served[] = [];
  t.after(async () => {
    for (const served of serving) await served.stop();
    for (const { folder } of [old, next]) await rm(folder, { recursive: true, force: true });
  });
  const nextServed = await serve(next.dir);
  serving.push(nextServed);
  const successor = ['--successor', next.vkey, '--successor-url', nextServed.url];
  const oldServed = await serve(old.dir);
  await ok(['upload', oldServed.url, ...signed('before')]);
  assert.equal((await steleHere(['freeze', '-C', old.dir, ...successor])).status, 3, 'its server has the lock');
  await oldServed.stop();
  assert.equal((await steleHere(['freeze', '-C', old.dir, '--successor', next.vkey])).status, 2);
  assert.equal(
    (await steleHere(['freeze', '-C', old.dir, '--successor', old.vkey, '--successor-url', 'https://x.example']))
      .status,
    1,
  );
  await ok(['freeze', '-C', old.dir, ...successor]);
  await ok(['freeze', '-C', old.dir, ...successor]);
  const another = await steleHere(['freeze', '-C', old.dir, ...successor.with(3, 'https://another.example')]);
  assert.deepEqual([another.status, /named a successor already/.test(another.stderr)], [1, true]);

  const frozen = await serve(old.dir);
  serving.push(frozen);
  assert.match((await ok(['loginfo', old.dir, '--no-state'])).stdout, /frozen; followed by next\.example/);
  const unknown = await steleHere(['upload', frozen.url, ...signed('after')]);
  assert.deepEqual([unknown.status, /frozen/.test(unknown.stderr)], [2, true]);
  const onward = await ok(['upload', frozen.url, ...signed('after'), '--vkey', old.vkey, '--json']);
  assert.match(onward.stderr, /going on with next\.example/);
  await ok([
    'verify',
    '--log',
    next.dir,
    '--log-index',
    String(JSON.parse(onward.stdout).index),
    ...signed('after').slice(0, 2),
  ]);
  const key = readFileSync(join(next.dir, 'key'), 'utf8');
  const forged = await signSuccessor(await successorNote(old, next), parseSignerKey(key.trim()));
  writeFileSync(join(old.dir, 'public', 'successor'), forged);
  assert.equal((await steleHere(['loginfo', old.dir, '--no-state'])).status, 1, 'a note that another key signed');
});

async function successorNote(old: { dir: string }, next: { vkey: string }): Promise<Successor> {
  const { size, root } = JSON.parse((await ok(['checkpoint', old.dir, '--json'])).stdout);
  const verifier = parseVerifierKey(next.vkey);
  return { origin: 'old.example', size, root: Buffer.from(root, 'base64'), verifier, url: 'https://next.example' };
}

test('a trusted root says where a client would not find the log, and a bad base is refused by name', async () => {
  const dir = at('with-a-path');
  await ok(['init', dir, '--origin', 'log.example/with/a/path']);
  assert.match((await ok(['trusted-root', dir])).stderr, /no bare host name/);
  assert.equal((await ok(['trusted-root', log.dir])).stderr, '');
  for (const verb of [
    ['trusted-root', log.dir],
    ['signing-config', log.url],
  ]) {
    const refused = await steleHere([...verb, '--merge', file('list.json', '[]')]);
    assert.deepEqual([refused.status, /list\.json/.test(refused.stderr)], [2, true], refused.stderr);
    assert.equal((await steleHere([...verb, '--start', 'yesterday'])).status, 2);
  }
  assert.equal((await steleHere(['signing-config', log.dir])).status, 2, 'stele.yaml has no url');
});
