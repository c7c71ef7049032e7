/** k6 sends `stele serve` good and bad requests at once: each gets the answer that is due, and the log the good ones. */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { LogReader } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { openReadableStore } from '../../src/store/index.ts';
import { stele } from '../cli/run-stele.ts';
import { ALTERNATIVE_NAMES, certificateOf, dns, extension } from '../entry/certificates.ts';
import { sequence } from '../entry/der-writer.ts';
import {
  base64,
  bodyOf,
  dsseRequest,
  hashedRekord,
  type Sendable,
  SIGNERS,
  utf8,
  verifierOf,
} from '../entry/proposals.ts';
import { serveNewLog } from '../sigstore/served-log.ts';
import { realPrograms, runProgram } from './real-programs.ts';

const SCENARIO = join(import.meta.dirname, 'mixed-load.k6.js');
const SECONDS = 20;
/** k6 lets every request come to its end, and the server keeps nobody waiting for longer than 20 s. */
const LIMIT_MS = 1_000 * (SECONDS + 40);
/** About as many as 32 clients submit in that time, who are answered ten times a second. */
const GOOD = 5_000;
/** A line that the scenario writes. */
const ACCEPTED = /^(\d+) (\d+)$/;
/** In the log before: a full tile, so that there is one to read. */
const SEEDS = 300;
const { p256, p384, p521, rsa2048, rsa4096, ed25519ph } = SIGNERS;

interface GoodRequest {
  readonly what: string;
  readonly body: string;
}

interface BadRequest {
  readonly what: string;
  /** Default: POST. */
  readonly method?: string;
  /** Default: where entries are submitted. */
  readonly path?: string;
  readonly body?: string;
  readonly status: number;
}

/** What k6 is given as a file. */
interface Requests {
  readonly good: readonly GoodRequest[];
  readonly bad: readonly BadRequest[];
  /** To be read. */
  readonly paths: readonly string[];
}

const certificate = certificateOf(p256.publicKey, extension(ALTERNATIVE_NAMES, sequence(dns('a.example.com'))));

/** P-256 is what clients use most; one check on P-521 costs the server as much as forty on that. */
function goodRequest(n: number): GoodRequest {
  const text = utf8(`artifact ${n}`);
  const good = (what: string, request: Sendable): GoodRequest => ({ what, body: JSON.stringify(request) });
  switch (n % 32) {
    case 0:
      return good('P-384', hashedRekord(p384, text));
    case 1:
      return good('P-521', hashedRekord(p521, text));
    case 2:
      return good('RSA', hashedRekord(rsa2048, text));
    case 3:
      return good('RSA with 4096 bits', hashedRekord(rsa4096, text));
    case 4:
      return good('Ed25519ph', hashedRekord(ed25519ph, text));
    case 5:
      return good('an attestation by two', dsseRequest(utf8(`{"n":${n}}`), p256, rsa2048));
    case 6:
    case 7:
    case 8:
      return good('an attestation', dsseRequest(utf8(`{"n":${n}}`), p256));
    case 9:
    case 10:
    case 11:
      return good('a certificate', hashedRekord(p256, text, verifierOf(p256, certificate)));
    default:
      return good('P-256', hashedRekord(p256, text));
  }
}

function badRequests(): BadRequest[] {
  const right = hashedRekord(p256, utf8('never logged'))['hashedRekordRequestV002'] as Sendable;
  const spoilt = (change: Sendable): string => JSON.stringify({ hashedRekordRequestV002: { ...right, ...change } });
  const attestation = dsseRequest(utf8('{}'), { ...p256, sign: () => p256.sign(utf8('another')) });
  const cutOff = hashedRekord(p256, utf8('x'), verifierOf(p256, certificate.subarray(0, 100)));
  const elsewhere = { keyDetails: p256.keyDetails, publicKey: verifierOf(rsa2048)['publicKey'] };
  const bodies: Readonly<Record<string, string>> = {
    'another signature': spoilt({ digest: base64(new Uint8Array(32)) }),
    "another's key": JSON.stringify(hashedRekord(p256, utf8('x'), elsewhere)),
    "another attestation's signature": JSON.stringify(attestation),
    'a digest too short': spoilt({ digest: base64(new Uint8Array(20)) }),
    'a digest too long': spoilt({ digest: base64(new Uint8Array(64)) }),
    'no base64': spoilt({ digest: '%' }),
    'an unknown field': spoilt({ extra: 1 }),
    'an unknown kind': JSON.stringify({ intotoRequestV002: {} }),
    'a kind that is not taken': JSON.stringify({ rawRequestV001: { content: base64(utf8('x')) } }),
    'a certificate cut off': JSON.stringify(cutOff),
    'JSON cut off': spoilt({}).slice(0, -1),
    'no JSON': 'hello',
    'no body': '',
  };
  const entries = '/api/v2/log/entries';
  return [
    ...Object.entries(bodies).map(([what, body]) => ({ what, body, status: 400 })),
    ...['GET', 'DELETE'].map((method) => ({ what: `${method} entries`, method, status: 405 })),
    ...['PUT', 'PATCH'].map((method) => ({ what: `${method} entries`, method, body: spoilt({}), status: 405 })),
    { what: 'POST to a file', path: '/checkpoint', body: spoilt({}), status: 405 },
    { what: 'POST to a tile', path: '/api/v2/tile/0/000', body: spoilt({}), status: 405 },
    { what: 'POST to no path', path: '/api/v1/log/entries', body: spoilt({}), status: 404 },
    { what: 'POST to a longer path', path: `${entries}/`, body: spoilt({}), status: 404 },
    { what: 'GET of no path', method: 'GET', path: '/tile/0/0', status: 404 },
    { what: 'GET of no tile', method: 'GET', path: '/tile/0/x001/000', status: 404 },
  ];
}

const FILES = ['/checkpoint', '/tile/0/000', '/tile/entries/000', '/log.json'];
const PATHS = [...FILES, ...FILES.map((path) => `/api/v2${path}`), '/healthz', '/readyz', '/metrics', '/openapi.json'];

/** The names that mixed-load.k6.js has for what it checks. */
function checksOf({ good, bad, paths }: Requests): Set<string> {
  const reads = [...paths, 'the last of tile/0', 'the last of tile/entries'];
  return new Set([
    ...good.map(({ what }) => `${what}: 201`),
    ...[...bad, { what: 'too large', status: 413 }].map(({ what, status }) => `${what}: ${status}`),
    ...reads.map((path) => `${path}: 200`),
  ]);
}

/** What k6 writes with `--summary-export`, as far as it is looked at. */
interface Summary {
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly root_group: { readonly checks: Readonly<Record<string, unknown>> };
}

interface Loaded {
  readonly summary: Summary;
  /** Of every 201: which of the good ones it was, and its index in the log. */
  readonly accepted: readonly (readonly [good: number, index: number])[];
}

/** Runs the scenario; fails unless every answer was the right one. */
async function runScenario(k6: string, url: string, requests: Requests, folder: string): Promise<Loaded> {
  const at = (name: string): string => join(folder, `k6-${name}`);
  await writeFile(at('requests'), JSON.stringify(requests));
  const args = ['--quiet', '--no-color', '--no-usage-report', '--address', '', '--log-format', 'raw'];
  const files = ['--console-output', at('console'), '--summary-export', at('summary')];
  const env = { HOME: folder, URL: url, SECONDS: String(SECONDS), REQUESTS: at('requests') };
  const { status, stdout, stderr } = await runProgram(k6, ['run', ...args, ...files, SCENARIO], LIMIT_MS, env);
  const said = (await readFile(at('console'), 'utf8').catch(() => '')).split('\n');
  const complaints = said.filter((line) => !ACCEPTED.test(line)).slice(0, 20);
  assert.equal(status, 0, [stdout, stderr.slice(-5_000), ...complaints].join('\n'));
  return {
    summary: JSON.parse(await readFile(at('summary'), 'utf8')),
    accepted: said.flatMap((line) => {
      const [, good, index] = ACCEPTED.exec(line) ?? [];
      return good === undefined ? [] : [[Number(good), Number(index)] as const];
    }),
  };
}

/** The index of each good one that was accepted; fails where one has two, or two have one. */
function indexesOf({ accepted }: Loaded): Map<number, number> {
  const indexes = new Map<number, number>();
  for (const [good, index] of accepted) {
    assert.equal(index, indexes.get(good) ?? index, `request ${good} came again`);
    indexes.set(good, index);
  }
  assert.equal(new Set(indexes.values()).size, indexes.size, 'no two entries have one index');
  return indexes;
}

test('among bad requests of every kind and reads, each good one is logged, and nothing is answered with 5xx', async (t) => {
  const programs = realPrograms(t, 'k6');
  if (programs === undefined) return;
  const log = await serveNewLog('--entries.kinds', 'hashedrekord,dsse');
  t.after(() => log.stop());
  const lines = Array.from({ length: SEEDS }, (_, n) => `seed ${n}\n`).join('');
  const seeded = await stele(['add', '-C', log.dir, '--wait', '--lines', '-'], { input: lines });
  assert.equal(seeded.status, 0, seeded.stderr);
  const good = Array.from({ length: GOOD }, (_, n) => goodRequest(n));
  const requests = { good, bad: badRequests(), paths: PATHS };

  const loaded = await runScenario(programs.k6, log.url, requests, log.folder);
  const { metrics, root_group } = loaded.summary;
  assert.deepEqual(new Set(Object.keys(root_group.checks)), checksOf(requests), 'all of it was sent');
  const indexes = indexesOf(loaded);
  const { med, max, 'p(99)': p99 } = metrics['http_req_duration{scenario:good}'] ?? {};
  t.diagnostic(
    `${metrics['http_reqs']?.['count']} requests in ${SECONDS} s; ${loaded.accepted.length} good ones, ${indexes.size} of ` +
      `them new, answered in ms: p50 ${med?.toFixed()}, p99 ${p99?.toFixed()}, max ${max?.toFixed()}`,
  );

  const expected = new Map<number, string>();
  for (const [n, index] of indexes) expected.set(index, await bodyOf(good[n]?.body ?? ''));
  const reader = new LogReader(openReadableStore(`${log.url}/`), parseVerifierKey(log.vkey));
  const checkpoint = await reader.checkpoint();
  assert.equal(checkpoint.size, SEEDS + expected.size, 'the log holds what was accepted, and nothing else');
  for await (const { index, entry } of reader.entries(SEEDS, checkpoint.size, checkpoint)) {
    assert.equal(Buffer.from(entry).toString(), expected.get(index), `entry ${index}`);
  }
  const checked = await stele(['fsck', log.dir, '--json']);
  assert.equal(checked.status, 0, checked.stderr);
});
