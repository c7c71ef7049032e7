/** Log entries as servers answer them: real ones verify, and whatever is changed in them is noticed. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { formatLogEntry, parseLogEntry, readEntry, verifyLogEntry, verifySignature } from '../../src/entry/index.ts';
import { logIdOf, parseVerifierKey, subjectPublicKeyInfo, type Verifier } from '../../src/note/index.ts';
import { accept, dsseRequest, hashedRekord, SIGNERS, utf8 } from './proposals.ts';

interface Answer {
  logIndex: string;
  logId: { keyId: string };
  kindVersion: { kind: string; version: string };
  integratedTime: string;
  inclusionPromise: unknown;
  inclusionProof: {
    logIndex: string;
    rootHash: string;
    treeSize: string;
    hashes: string[];
    checkpoint: { envelope: string };
  };
  canonicalizedBody: string;
}

const { entries, logs } = JSON.parse(
  readFileSync(new URL('../../tiles-spec/vectors/entries.json', import.meta.url), 'utf8'),
) as {
  readonly entries: readonly {
    readonly id: string;
    readonly kind: string;
    readonly apiVersion: string;
    readonly body: string;
    readonly logEntry?: Pick<Answer, 'logId' | 'inclusionProof'>;
  }[];
  readonly logs: readonly { name: string; publicKey: string; logId: string; keyId: string }[];
};

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function verifierFor(logId: string): Verifier | undefined {
  const log = logs.find((one) => one.logId === logId);
  if (log === undefined) return undefined;
  const tagged = Buffer.concat([Uint8Array.of(1), Buffer.from(log.publicKey, 'base64').subarray(-32)]);
  return parseVerifierKey(`${log.name}+${log.keyId}+${tagged.toString('base64')}`);
}

const REAL = entries.flatMap(({ id, kind, apiVersion, body, logEntry }) => {
  const verifier = logEntry && verifierFor(logEntry.logId.keyId);
  if (logEntry === undefined || verifier === undefined) return [];
  const answer: Answer = {
    logIndex: logEntry.inclusionProof.logIndex,
    logId: logEntry.logId,
    kindVersion: { kind, version: apiVersion },
    integratedTime: '0',
    inclusionPromise: null,
    inclusionProof: logEntry.inclusionProof,
    canonicalizedBody: base64(body),
  };
  return [{ id, answer, verifier }];
});

const verified = async (answer: unknown, verifier: Verifier) =>
  verifyLogEntry(parseLogEntry(utf8(JSON.stringify(answer))), verifier, verifySignature);

test('log ids and keys are those that sigstore’s clients know the logs by', () => {
  for (const { logId, publicKey } of logs) {
    const verifier = verifierFor(logId);
    assert.ok(verifier);
    assert.equal(Buffer.from(logIdOf(verifier)).toString('base64'), logId);
    assert.equal(Buffer.from(subjectPublicKeyInfo(verifier)).toString('base64'), publicKey);
  }
});

for (const { id, answer, verifier } of REAL) {
  test(`${id}: verifies under its log’s key, and comes out as it went in`, async () => {
    const { index, body, checkpoint, entry } = await verified(answer, verifier);
    assert.equal(String(index), answer.logIndex);
    assert.equal(entry?.kind, answer.kindVersion.kind);
    assert.ok((entry?.signatures.length ?? 0) > 0);
    const hashes = answer.inclusionProof.hashes.map((hash) => new Uint8Array(Buffer.from(hash, 'base64')));
    const proven = { kind: entry?.kind ?? '', apiVersion: entry?.apiVersion ?? '', body, index, hashes, checkpoint };
    // The members in Rekor's order, too.
    assert.equal(JSON.stringify(formatLogEntry(proven, logIdOf(verifier))), JSON.stringify(answer));
  });

  test(`${id}: in a bundle, too, and with fields as protojson may leave them out`, async () => {
    const { integratedTime: _time, inclusionPromise: _promise, ...short } = answer;
    const bundle = {
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: { publicKey: { hint: 'k' }, tlogEntries: [short] },
      messageSignature: {},
    };
    assert.equal(String((await verified(bundle, verifier)).index), answer.logIndex);
  });

  const CHANGES: readonly (readonly [what: string, code: string, change: (answer: Answer) => void])[] = [
    ['logIndex', 'invalid-proof', (one) => (one.logIndex = String(Number(one.logIndex) + 1))],
    ['the index of the proof', 'invalid-proof', (one) => (one.inclusionProof.logIndex = '0')],
    ['both indices', 'invalid-proof', (one) => (one.logIndex = one.inclusionProof.logIndex = '3')],
    ['treeSize', 'invalid-proof', (one) => (one.inclusionProof.treeSize = '999999999')],
    ['rootHash', 'invalid-proof', (one) => (one.inclusionProof.rootHash = base64('x'.repeat(32)))],
    ['a hash that is another', 'invalid-proof', (one) => (one.inclusionProof.hashes[0] = base64('x'.repeat(32)))],
    ['a hash too few', 'invalid-proof', (one) => one.inclusionProof.hashes.pop()],
    ['a hash too many', 'invalid-proof', (one) => one.inclusionProof.hashes.push(base64('x'.repeat(32)))],
    ['a hash too short', 'malformed', (one) => (one.inclusionProof.hashes[0] = base64('x'.repeat(31)))],
    ['logId', 'unverified', (one) => (one.logId.keyId = base64('x'.repeat(32)))],
    ['the first bytes of a logId alone', 'unverified', (one) => (one.logId.keyId = 'zxGZFQ==')],
    ['kind', 'invalid-proof', (one) => (one.kindVersion.kind = 'intoto')],
    ['version', 'invalid-proof', (one) => (one.kindVersion.version = '0.0.1')],
    [
      'the body',
      'invalid-proof',
      (one) => (one.canonicalizedBody = one.canonicalizedBody.replace(/^.{40}/, 'x'.repeat(40))),
    ],
    [
      'the body, called raw',
      'invalid-proof',
      (one) => {
        one.kindVersion = { kind: 'raw', version: '0.0.1' };
        one.canonicalizedBody = base64('raw');
      },
    ],
    [
      'the root in the checkpoint',
      'invalid-proof',
      (one) => {
        const { checkpoint } = one.inclusionProof;
        checkpoint.envelope = checkpoint.envelope.replace(/\n(\d+)\n../, '\n$1\nAA');
      },
    ],
    [
      'no signature',
      'malformed',
      (one) => {
        const { checkpoint } = one.inclusionProof;
        checkpoint.envelope = checkpoint.envelope.replace(/— .*\n/, '');
      },
    ],
    ['a time', 'malformed', (one) => (one.integratedTime = '1700000000')],
    ['a promise', 'malformed', (one) => (one.inclusionPromise = { signedEntryTimestamp: 'AAAA' })],
    ['an index beyond 2^53', 'limit', (one) => (one.logIndex = '9007199254740993')],
    ['no proof', 'malformed', (one) => delete (one as Partial<Answer>).inclusionProof],
    ['no body', 'malformed', (one) => delete (one as Partial<Answer>).canonicalizedBody],
  ];
  for (const [what, code, change] of CHANGES) {
    test(`${id}: refused with a changed ${what}`, async () => {
      const changed = structuredClone(answer);
      change(changed);
      await assert.rejects(verified(changed, verifier), { code });
    });
  }
}

test("the stale answer in Rekor's own documentation is refused, for its root and then for its body", async () => {
  const { keys, answer } = JSON.parse(
    readFileSync(new URL('../../tiles-spec/vectors/log-ids.json', import.meta.url), 'utf8'),
  ) as { keys: { id: string; vkey: string }[]; answer: Answer };
  const verifier = parseVerifierKey(keys.find(({ id }) => id === 'rekor-local')?.vkey ?? '');
  await assert.rejects(verified(answer, verifier), { code: 'invalid-proof', message: /rootHash/ });
  const hex = Buffer.from(answer.inclusionProof.rootHash, 'base64').toString();
  answer.inclusionProof.rootHash = Buffer.from(hex, 'hex').toString('base64');
  await assert.rejects(verified(answer, verifier), { code: 'malformed', message: /"hashedRekordV0_0_2"/ });
  const body = Buffer.from(answer.canonicalizedBody, 'base64').toString();
  answer.canonicalizedBody = base64(body.replace('hashedRekordV0_0_2', 'hashedRekordV002'));
  await assert.rejects(verified(answer, verifier), { code: 'invalid-proof' });
});

test('two real logs at least were looked at', () => {
  assert.ok(REAL.length >= 2, `${REAL.length}`);
});

test('entries are read back with all that was put in', async () => {
  const message = utf8('hello, world!');
  for (const signer of [SIGNERS.p256, SIGNERS.p384, SIGNERS.p521, SIGNERS.rsa2048, SIGNERS.ed25519ph]) {
    const { body } = await accept(hashedRekord(signer, message));
    const entry = readEntry(body);
    assert.equal(entry.kind, 'hashedrekord');
    assert.equal(entry.digest.hash, signer.hash);
    assert.equal(entry.signsDigest, true);
    assert.equal(
      entry.signatures[0]?.verifier.rawBytes,
      signer.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    );
  }
  const { body } = await accept(dsseRequest(message, SIGNERS.p256, SIGNERS.p384));
  const entry = readEntry(body);
  assert.deepEqual([entry.kind, entry.signatures.length, entry.signsDigest], ['dsse', 2, false]);
});

test('what is not a canonical entry of a known kind cannot be read back', async () => {
  const { body } = await accept(hashedRekord(SIGNERS.p256, utf8('a')));
  const text = new TextDecoder().decode(body);
  for (const [changed, why] of [
    [` ${text}`, /not canonical/],
    [
      text.replace('{"apiVersion":"0.0.2","kind":"hashedrekord",', '{"kind":"hashedrekord","apiVersion":"0.0.2",'),
      /not canonical/,
    ],
    [text.replace('"kind"', '"\\u006bind"'), /not canonical/],
    [text.replace('0.0.2', '0.0.1'), /which nobody here can read/],
    [text.replace('hashedrekord', 'intoto'), /which nobody here can read/],
    [text.replace('SHA2_256', 'SHA2_384'), /are no digest by sha384/],
    [text.replace('SHA2_256', 'MD5'), /is no hash/],
    [text.replace('"digest"', '"Digest"'), /unknown field/],
    ['raw bytes', /the entry is not JSON/],
  ] as const) {
    assert.notEqual(changed, text);
    assert.throws(() => readEntry(utf8(changed)), { code: 'malformed', message: why });
  }
});
