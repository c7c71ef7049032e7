import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { ed25519ph } from '@noble/curves/ed25519.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import type { CommandModule } from 'yargs';
import { openVerifierPool, parsePublicKey, type SignatureCheck, verifySignature } from '../src/entry/index.ts';
import { median, printFigures } from './figures.ts';

/** Of these, each run takes the median: other processes come and go. */
const ROUNDS = 5;

interface VerifyOptions {
  readonly seconds: number;
  readonly threads: number;
  readonly json: boolean;
}

interface Sample {
  readonly check: SignatureCheck;
  /** By node:crypto, which needs the message. */
  readonly withMessage: () => boolean;
}

interface Algorithm {
  readonly hash: string;
  readonly keys: () => { privateKey: KeyObject; publicKey: KeyObject };
  readonly sign?: (message: Uint8Array, privateKey: KeyObject) => Uint8Array;
}

const NOBLE = { 'P-256': p256, 'P-384': p384, 'P-521': p521 };

const ec = (namedCurve: string) => () => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number) => () => generateKeyPairSync('rsa', { modulusLength });

const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  'P-256': { hash: 'sha256', keys: ec('P-256') },
  'P-384': { hash: 'sha384', keys: ec('P-384') },
  'P-521': { hash: 'sha512', keys: ec('P-521') },
  'RSA-2048': { hash: 'sha256', keys: rsa(2048) },
  'RSA-4096': { hash: 'sha256', keys: rsa(4096) },
  Ed25519ph: {
    hash: 'sha512',
    keys: () => generateKeyPairSync('ed25519'),
    sign: (message, key) => ed25519ph.sign(message, key.export({ format: 'der', type: 'pkcs8' }).subarray(-32)),
  },
};
/** Keys of a sample, one signature each: nothing that a cache could gain from. */
const SAMPLES: Readonly<Record<string, number>> = { 'P-256': 400, 'RSA-2048': 4, 'RSA-4096': 2 };
const FEW_SAMPLES = 40;

export const verifyCommand: CommandModule<object, VerifyOptions> = {
  command: 'verify',
  describe: 'Signatures verified over a digest per second and core, and by a pool of threads',
  builder: {
    seconds: { type: 'number', default: 1, describe: 'Processor seconds for each figure' },
    threads: { type: 'number', default: 2, describe: 'Threads of the pool' },
    json: { type: 'boolean', default: false, describe: 'One JSON object per algorithm' },
  },
  async handler({ seconds, threads, json }) {
    for (const [name, algorithm] of Object.entries(ALGORITHMS)) {
      const samples = samplesOf(algorithm, SAMPLES[name] ?? FEW_SAMPLES);
      const perSecond = perCoreSecond(samples, ({ check }) => verifySignature(check), seconds);
      const withMessage = algorithm.sign ? undefined : perCoreSecond(samples, (one) => one.withMessage(), seconds);
      const reference = perCoreSecond(samples, ({ check }) => byNoble(check), seconds);
      printFigures(
        `verify: ${name} over a digest, one signature per key`,
        {
          ...(perSecond !== undefined && { perCoreSecond: perSecond }),
          ...(reference !== undefined && { nobleCurvesPerCoreSecond: reference }),
          ...(withMessage !== undefined && { nodeCryptoOverMessagePerCoreSecond: withMessage }),
          ...(name === 'P-256' && (await pooled(samples, threads, seconds))),
        },
        json,
      );
    }
  },
};

function samplesOf({ hash, keys, sign: signWith }: Algorithm, count: number): Sample[] {
  return Array.from({ length: count }, () => {
    const { privateKey, publicKey } = keys();
    const message = randomBytes(64);
    const signature = signWith?.(message, privateKey) ?? sign(hash, message, privateKey);
    const key = parsePublicKey(publicKey.export({ format: 'der', type: 'spki' }), 'the key');
    const digest = createHash(hash).update(message).digest();
    return {
      check: { key, signed: { digest }, signature },
      withMessage: () => verify(hash, message, publicKey, signature),
    };
  });
}

/** @noble/curves on ECDSA; undefined elsewhere. */
function byNoble({ key, signed, signature }: SignatureCheck): boolean | undefined {
  if (key.type !== 'ecdsa' || !('digest' in signed)) return undefined;
  return NOBLE[key.curve].verify(signature, signed.digest, key.point, { prehash: false, lowS: false, format: 'der' });
}

/** Calls per second of processor time: what a core does, however many others want it. */
function perCoreSecond(
  samples: readonly Sample[],
  call: (sample: Sample) => boolean | undefined,
  seconds: number,
): number | undefined {
  const figures: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    let calls = 0;
    const start = process.cpuUsage();
    let used = 0;
    while (used < (seconds * 1e6) / ROUNDS) {
      for (const sample of samples) {
        const right = call(sample);
        if (right === undefined) return undefined;
        if (!right) throw new Error('A right signature did not verify: this figure is worth nothing.');
        calls += 1;
        const { user, system } = process.cpuUsage(start);
        used = user + system;
        if (used >= (seconds * 1e6) / ROUNDS) break;
      }
    }
    if (round > 0) figures.push((calls / used) * 1e6); // the first one warms up
  }
  return median(figures);
}

/** Through the threads, with the longest time that the main thread was kept from its work. */
async function pooled(samples: readonly Sample[], threads: number, seconds: number): Promise<Record<string, number>> {
  const pool = openVerifierPool({ threads, maxWaitingMs: Number.POSITIVE_INFINITY });
  try {
    const round = (): Promise<boolean[]> => Promise.all(samples.map(({ check }) => pool.verify(check)));
    await round();
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last - 1);
      last = performance.now();
    }, 1);
    let calls = 0;
    const start = performance.now();
    while (performance.now() - start < seconds * 1_000) calls += (await round()).length;
    const elapsed = (performance.now() - start) / 1_000;
    clearInterval(timer);
    return { poolThreads: threads, poolPerSecond: calls / elapsed, longestMainThreadPauseMs: longest };
  } finally {
    await pool.close();
  }
}
