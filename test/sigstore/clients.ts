/** sigstore's clients for Node, unmodified, against `stele serve`: the same tests for each line of packages. */

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import type * as bundles from '@sigstore/bundle';
import type * as specs from '@sigstore/protobuf-specs';
import type * as signing from '@sigstore/sign';
import type * as verifying from '@sigstore/verify';
import { stele } from '../cli/run-stele.ts';
import { type Authorities, IDENTITY, ISSUER, startAuthorities } from './authorities.ts';
import { type ServedLog, serveNewLog } from './served-log.ts';

export interface Packages {
  readonly sign: typeof signing;
  readonly verify: typeof verifying;
  readonly bundle: typeof bundles;
  readonly specs: typeof specs;
}

interface LogEntryJson {
  logIndex: string;
  kindVersion: { kind: string };
  inclusionProof: { hashes: string[]; logIndex: string; checkpoint: { envelope: string } };
  canonicalizedBody: string;
}

interface BundleJson {
  verificationMaterial: { tlogEntries: LogEntryJson[] };
  dsseEnvelope?: { payload: string };
}

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');

const POLICY = { subjectAlternativeName: IDENTITY, extensions: { issuer: ISSUER } };
const PAYLOAD = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}');
const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** What no verifier may accept. */
const TAMPERINGS: readonly (readonly [what: string, tamper: (bundle: BundleJson) => void])[] = [
  ['a hash of the proof', (b) => (tlog(b).inclusionProof.hashes[0] = base64(Buffer.alloc(32)))],
  ['a hash too few', (b) => tlog(b).inclusionProof.hashes.pop()],
  ['another index', (b) => (tlog(b).inclusionProof.logIndex = '0')],
  ['another root in the checkpoint', (b) => changeCheckpoint(b, (text) => text.replace(/\n(\d+)\n..../, '\n$1\nAAAA'))],
  ['another size in the checkpoint', (b) => changeCheckpoint(b, (text) => text.replace(/\n(\d+)\n/, '\n1$1\n'))],
  [
    'another signature of the checkpoint',
    (b) => changeCheckpoint(b, (text) => text.replace(/.{12}=?\n$/, 'AAAAAAAAAAA=\n')),
  ],
  ['another body', (b) => (tlog(b).canonicalizedBody = base64('{}'))],
  ['no log entry', (b) => (b.verificationMaterial.tlogEntries = [])],
];

export function testClients(load: () => Packages): void {
  let log: ServedLog;
  let authorities: Authorities;
  let packages: Packages;
  let trustedRoot: unknown;

  before(async () => {
    packages = load();
    [log, authorities] = await Promise.all([serveNewLog('--entries.kinds', 'hashedrekord,dsse'), startAuthorities()]);
    const base = join(log.folder, 'authorities.json');
    await writeFile(base, JSON.stringify(authorities.trustedRoot));
    const made = await stele(['trusted-root', log.dir, '--merge', base]);
    assert.equal(made.status, 0, made.stderr);
    trustedRoot = JSON.parse(made.stdout);
    // Entry 0, so that the proofs of those that follow have hashes.
    await signMessage(Buffer.from('first'));
  });
  after(async () => {
    await authorities?.close();
    await log?.stop();
  });

  const parts = (): signing.BundleBuilderOptions => {
    const { FulcioSigner, RekorWitness, TSAWitness } = packages.sign;
    return {
      signer: new FulcioSigner({
        fulcioBaseURL: authorities.url,
        identityProvider: { getToken: async () => authorities.token },
      }),
      witnesses: [
        new RekorWitness({ rekorBaseURL: log.url, majorApiVersion: 2 }),
        new TSAWitness({ tsaBaseURL: authorities.url }),
      ],
    };
  };
  const signMessage = async (data: Buffer): Promise<BundleJson> => {
    const bundle = await new packages.sign.MessageSignatureBundleBuilder(parts()).create({ data });
    return packages.bundle.bundleToJSON(bundle) as unknown as BundleJson;
  };
  const signEnvelope = async (data: Buffer): Promise<BundleJson> => {
    const bundle = await new packages.sign.DSSEBundleBuilder(parts()).create({ data, type: PAYLOAD_TYPE });
    return packages.bundle.bundleToJSON(bundle) as unknown as BundleJson;
  };
  /** With the thresholds that there are by default. */
  const verify = (bundle: BundleJson, data?: Buffer, options: verifying.VerifierOptions = {}): void => {
    const trust = packages.verify.toTrustMaterial(packages.specs.TrustedRoot.fromJSON(trustedRoot));
    const entity = packages.verify.toSignedEntity(packages.bundle.bundleFromJSON(bundle), data);
    new packages.verify.Verifier(trust, options).verify(entity, POLICY);
  };

  test('a message that is signed through RekorWitness verifies, with its identity and time', async () => {
    const data = Buffer.from('hello, world!');
    const bundle = await signMessage(data);
    assert.equal(tlog(bundle).kindVersion.kind, 'hashedrekord');
    verify(bundle, data);
    assert.throws(() => verify(bundle, Buffer.from('hello, moon!')));
    for (const [what, tamper] of TAMPERINGS) {
      const tampered = structuredClone(bundle);
      tamper(tampered);
      assert.throws(() => verify(tampered, data), Error, what);
    }
  });

  test('an envelope that is signed through RekorWitness verifies, and none that was changed does', async () => {
    const bundle = await signEnvelope(PAYLOAD);
    assert.equal(tlog(bundle).kindVersion.kind, 'dsse');
    verify(bundle);
    for (const [what, tamper] of [
      ...TAMPERINGS,
      ['another payload', (b: BundleJson) => (b.dsseEnvelope = { ...b.dsseEnvelope, payload: base64('{}') })],
    ] as typeof TAMPERINGS) {
      const tampered = structuredClone(bundle);
      tamper(tampered);
      assert.throws(() => verify(tampered), Error, what);
    }
  });

  test('a signing config of ours leads a client to the log', async () => {
    const base = join(log.folder, 'config.json');
    await writeFile(base, JSON.stringify(authorities.signingConfig));
    const made = await stele(['signing-config', log.url, '--merge', base]);
    assert.equal(made.status, 0, made.stderr);
    const builder = packages.sign.bundleBuilderFromSigningConfig({
      signingConfig: packages.specs.SigningConfig.fromJSON(JSON.parse(made.stdout)),
      identityProvider: { getToken: async () => authorities.token },
      bundleType: 'messageSignature',
    });
    const data = Buffer.from('by config');
    verify(packages.bundle.bundleToJSON(await builder.create({ data })) as unknown as BundleJson, data);
  });

  test('fifty concurrent signers get fifty places and fifty proofs that verify', async () => {
    const bundlesOf = Array.from({ length: 50 }, async (_, i) => {
      const data = Buffer.from(`artifact ${i}`);
      const bundle = await signMessage(data);
      verify(bundle, data);
      return tlog(bundle).logIndex;
    });
    assert.equal(new Set(await Promise.all(bundlesOf)).size, 50);
  });

  test('a bundle with a bare key, signed by a witness of its own, verifies without a timestamp', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    const signer: signing.Signer = {
      sign: async (data) => ({
        signature: sign('sha256', data, privateKey),
        key: { $case: 'publicKey', publicKey: publicKey.export({ format: 'pem', type: 'spki' }).toString(), hint: 'k' },
      }),
    };
    const witness: signing.Witness = {
      async testify(content) {
        assert.equal(content.$case, 'messageSignature');
        const { messageSignature } = content as Extract<typeof content, { $case: 'messageSignature' }>;
        const digest = createHash('sha256').update('bare').digest('base64');
        const verifier = { publicKey: { rawBytes: spki.toString('base64') }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
        const signature = { content: messageSignature.signature.toString('base64'), verifier };
        const response = await fetch(`${log.url}/api/v2/log/entries`, {
          method: 'POST',
          body: JSON.stringify({ hashedRekordRequestV002: { digest, signature } }),
        });
        assert.equal(response.status, 201);
        const entry = packages.specs.TransparencyLogEntry.fromJSON(await response.json());
        return { tlogEntries: [entry] } as Awaited<ReturnType<signing.Witness['testify']>>;
      },
    };
    const data = Buffer.from('bare');
    const bundle = await new packages.sign.MessageSignatureBundleBuilder({ signer, witnesses: [witness] }).create({
      data,
    });
    const trust = packages.verify.toTrustMaterial(packages.specs.TrustedRoot.fromJSON(trustedRoot), {
      k: packages.specs.PublicKey.fromJSON({
        rawBytes: spki.toString('base64'),
        keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      }),
    });
    new packages.verify.Verifier(trust, { timestampThreshold: 0 }).verify(packages.verify.toSignedEntity(bundle, data));
  });

  test('what a client is refused, it is told why', async () => {
    const { RekorWitness } = packages.sign;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const signer: signing.Signer = {
      // The witness sends every key as if it were a certificate.
      sign: async (data) => ({
        signature: sign('sha256', data, privateKey),
        key: { $case: 'publicKey', publicKey: key },
      }),
    };
    const witnesses = [new RekorWitness({ rekorBaseURL: log.url, majorApiVersion: 2 })];
    const signed = new packages.sign.MessageSignatureBundleBuilder({ signer, witnesses }).create({
      data: Buffer.from('x'),
    });
    await assert.rejects(signed, (error: Error & { cause?: Error }) => {
      assert.match(String(error.cause?.message ?? error.message), /\(400\).*x509Certificate/);
      return true;
    });
  });
}

function tlog({ verificationMaterial }: BundleJson): LogEntryJson {
  const [entry] = verificationMaterial.tlogEntries;
  assert.ok(entry);
  return entry;
}

function changeCheckpoint(bundle: BundleJson, change: (text: string) => string): void {
  const { checkpoint } = tlog(bundle).inclusionProof;
  const changed = change(checkpoint.envelope);
  assert.notEqual(changed, checkpoint.envelope);
  checkpoint.envelope = changed;
}
