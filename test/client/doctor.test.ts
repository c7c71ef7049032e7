/** Each server here misbehaves in one way, and that one way must be found, with a remedy, and nothing else. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { askByFetch } from '../../src/cli/doctor-fetch.ts';
import { type CheckName, examineWeb, type Finding, type Verdict, type WebLog } from '../../src/client/index.ts';
import { systemClock } from '../../src/clock.ts';
import type { SignedCheckpoint } from '../../src/note/index.ts';
import { metaFor } from '../../src/store/index.ts';
import { compress, type Misbehaviour, serveBadly } from './doctor-server.ts';
import { leaves, TestLog, verifier } from './test-log.ts';

const log = new TestLog(leaves(300));
const newest = await log.publish(300);
const older = await log.sign(200);

/** Time passes as it does, but nobody waits. */
const clock = { now: systemClock.now, sleep: async () => {} };

function webLog(base: string, random = Math.random): WebLog {
  return { base, ask: askByFetch, clock, random, metaFor };
}

async function examine(
  t: TestContext,
  misbehave?: Misbehaviour,
  origin: SignedCheckpoint | undefined = newest,
  key = verifier,
): Promise<Finding[]> {
  return findingsOf(webLog(await serveBadly(t, log, misbehave)), key, origin);
}

async function findingsOf(web: WebLog, key = verifier, origin?: SignedCheckpoint): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of examineWeb(web, key, origin)) findings.push(finding);
  return findings;
}

const CHECKPOINT = 'checkpoint';
const isAbsentTile = (key: string): boolean => key.startsWith('tile/0/x');

test('a log that is served as it should be passes every check', async (t) => {
  const findings = await examine(t);
  assert.deepEqual(
    findings.filter(({ verdict }) => verdict !== 'ok'),
    [],
  );
  const checks = new Set(findings.map(({ check }) => check));
  const all: CheckName[] = [
    ...(['checkpoint', 'headers', 'encoding', 'head', 'conditional-get'] as const),
    ...(['cors', 'absent', 'clock', 'stale-checkpoint'] as const),
  ];
  assert.deepEqual([...checks], all);
});

type Case = [way: string, check: CheckName, verdict: Verdict, seen: RegExp, misbehave: Misbehaviour];

const CASES: readonly Case[] = [
  [
    'tiles of another media type',
    'headers',
    'warning',
    /text\/plain/,
    ({ headers }, { key }) => {
      if (key === 'tile/0/000') headers['content-type'] = 'text/plain';
    },
  ],
  [
    'an HTML page in place of log.json',
    'headers',
    'problem',
    /HTML page/,
    ({ headers }, { key }) => {
      if (key === 'log.json') headers['content-type'] = 'text/html; charset=utf-8';
    },
  ],
  [
    'no log.json',
    'headers',
    'warning',
    /log\.json is not served/,
    (response, { key }) => {
      if (key === 'log.json') response.status = 404;
    },
  ],
  [
    'a checkpoint that caches may keep for an hour',
    'headers',
    'problem',
    /3600 s/,
    ({ headers }, { key }) => {
      if (key === CHECKPOINT) headers['cache-control'] = 'public, max-age=3600';
    },
  ],
  [
    'a checkpoint that caches may keep for ten seconds',
    'headers',
    'warning',
    /10 s/,
    ({ headers }, { key }) => {
      if (key === CHECKPOINT) headers['cache-control'] = 's-maxage=10, max-age=0';
    },
  ],
  [
    'a checkpoint without Cache-Control',
    'headers',
    'warning',
    /as long as they like/,
    ({ headers }, { key }) => {
      if (key === CHECKPOINT) delete headers['cache-control'];
    },
  ],
  [
    'tiles that caches do not keep',
    'headers',
    'warning',
    /ask again for what never changes/,
    ({ headers }, { key }) => {
      if (key === 'tile/entries/000') headers['cache-control'] = 'no-cache';
    },
  ],
  [
    'tiles that are refused',
    'headers',
    'problem',
    /tile\/entries\/000 answers 403/,
    (response, { key }) => {
      if (key === 'tile/entries/000') response.status = 403;
    },
  ],
  [
    'a redirect',
    'headers',
    'warning',
    /answers 302 to https:\/\/elsewhere\.example/,
    (response, { key }) => {
      if (key !== 'log.json') return;
      response.status = 302;
      response.headers['location'] = 'https://elsewhere.example/log.json';
    },
  ],
  [
    'compression that nobody asked for',
    'encoding',
    'problem',
    /tile\/0\/000 comes as Content-Encoding: gzip/,
    (response, { key }) => {
      if (key === 'tile/0/000' && response.status === 200) compress(response);
    },
  ],
  [
    'other bytes for those who accept gzip',
    'encoding',
    'problem',
    /other bytes came/,
    (response, { key, headers }) => {
      if (key === 'tile/0/000' && headers['accept-encoding'] === 'gzip') response.body = Buffer.from('rewritten');
    },
  ],
  [
    'HEAD refused',
    'head',
    'warning',
    /status 405/,
    (response, { key, method }) => {
      if (method === 'HEAD' && key !== CHECKPOINT) response.status = 405;
    },
  ],
  [
    'HEAD with another length',
    'head',
    'warning',
    /Content-Length 7/,
    ({ headers }, { key, method }) => {
      if (method === 'HEAD' && key !== CHECKPOINT) headers['content-length'] = '7';
    },
  ],
  [
    'an ETag made of the second of the last change',
    'conditional-get',
    'warning',
    /ETag "[0-9a-f]+-[0-9a-f]+" counts whole seconds/,
    ({ headers, body }, { key }) => {
      if (key !== CHECKPOINT) return;
      headers['last-modified'] = new Date(1_700_000_000_000).toUTCString();
      headers['etag'] = `"${(1_700_000_000).toString(16)}-${body.length.toString(16)}"`;
    },
  ],
  [
    'Last-Modified alone',
    'conditional-get',
    'warning',
    /Last-Modified counts whole seconds/,
    ({ headers }, { key }) => {
      if (key !== CHECKPOINT) return;
      headers['last-modified'] = new Date(1_700_000_000_000).toUTCString();
      delete headers['etag'];
    },
  ],
  [
    'an ETag that is not understood when it comes back',
    'conditional-get',
    'warning',
    /200 for If-None-Match/,
    (response) => {
      if (response.status === 304) response.status = 200;
    },
  ],
  [
    'no CORS',
    'cors',
    'warning',
    /no Access-Control-Allow-Origin/,
    ({ headers }) => {
      delete headers['access-control-allow-origin'];
    },
  ],
  [
    'CORS for tiles forgotten',
    'cors',
    'warning',
    /tile\/0\/000: no Access-Control-Allow-Origin/,
    ({ headers }, { key }) => {
      if (key.startsWith('tile/')) delete headers['access-control-allow-origin'];
    },
  ],
  [
    'CORS that reflects the origin, without Vary',
    'cors',
    'warning',
    /without `Vary: Origin`/,
    ({ headers: answered }, { headers }) => {
      if (headers.origin !== undefined) answered['access-control-allow-origin'] = headers.origin;
    },
  ],
  [
    '404s out of a cache, by its own word',
    'absent',
    'problem',
    /x-cache: Error from cloudfront, HIT/,
    ({ headers }, { key }) => {
      if (isAbsentTile(key)) headers['x-cache'] = 'Error from cloudfront, HIT';
    },
  ],
  [
    '404s with an Age',
    'absent',
    'problem',
    /Age: 4/,
    ({ headers }, { key }) => {
      if (isAbsentTile(key)) headers['age'] = '4';
    },
  ],
  [
    'the same 404 twice, by its request id',
    'absent',
    'problem',
    /same x-amz-request-id twice/,
    ({ headers }, { key }) => {
      if (isAbsentTile(key)) headers['x-amz-request-id'] = 'ABC';
    },
  ],
  [
    'the same 404 twice, by its Date',
    'absent',
    'problem',
    /same date twice/,
    ({ headers }, { key }) => {
      if (isAbsentTile(key)) headers['date'] = new Date(0).toUTCString();
    },
  ],
  [
    '404s that may be kept',
    'absent',
    'problem',
    /kept for 10 s/,
    ({ headers }, { key }) => {
      if (isAbsentTile(key)) headers['cache-control'] = 'max-age=10';
    },
  ],
  [
    '404s that do not say, with a proxy in between',
    'absent',
    'warning',
    /via: 1\.1 varnish/,
    ({ headers }, { key }) => {
      if (!isAbsentTile(key)) return;
      delete headers['cache-control'];
      headers['via'] = '1.1 varnish';
    },
  ],
  [
    '403 for what is not there',
    'absent',
    'warning',
    /answers 403, not 404/,
    (response, { key }) => {
      if (isAbsentTile(key)) response.status = 403;
    },
  ],
  [
    'a fallback page for what is not there',
    'absent',
    'problem',
    /answers 200/,
    (response, { key }) => {
      if (isAbsentTile(key)) response.status = 200;
    },
  ],
  [
    'a busy server',
    'absent',
    'unchecked',
    /answers 503/,
    (response, { key }) => {
      if (isAbsentTile(key)) response.status = 503;
    },
  ],
  [
    'a clock that is a minute ahead',
    'clock',
    'warning',
    /6\d\.\d s ahead/,
    ({ headers }, { method, key }) => {
      if (method === 'HEAD' && key === CHECKPOINT) headers['date'] = new Date(Date.now() + 62_000).toUTCString();
    },
  ],
  [
    'a clock that is an hour behind',
    'clock',
    'problem',
    /behind this machine/,
    ({ headers }, { method, key }) => {
      if (method === 'HEAD' && key === CHECKPOINT) headers['date'] = new Date(Date.now() - 3_600_000).toUTCString();
    },
  ],
  [
    'a cache that serves an old checkpoint',
    'stale-checkpoint',
    'problem',
    /stays behind .* size 300/,
    (response, { key, query, headers }) => {
      if (key === CHECKPOINT && query === '' && headers['if-none-match'] === undefined) response.body = older.bytes;
    },
  ],
  [
    'a cache that keeps a checkpoint for five minutes',
    'stale-checkpoint',
    'problem',
    /Age: 300/,
    ({ headers }, { key, query, method }) => {
      if (key === CHECKPOINT && query === '' && method === 'GET') headers['age'] = '300';
    },
  ],
  [
    'a cache that keeps a checkpoint for a few seconds',
    'stale-checkpoint',
    'warning',
    /Age: 3/,
    ({ headers }, { key, query, method }) => {
      if (key === CHECKPOINT && query === '' && method === 'GET') headers['age'] = '3';
    },
  ],
];

for (const [way, check, verdict, seen, misbehave] of CASES) {
  test(`found, and nothing else: ${way}`, async (t) => {
    const found = (await examine(t, misbehave)).filter((finding) => finding.verdict !== 'ok');
    assert.ok(found.length > 0, 'nothing was found');
    for (const finding of found) {
      assert.deepEqual([finding.check, finding.verdict], [check, verdict], finding.seen);
      assert.equal(finding.remedy === undefined, verdict === 'unchecked', finding.seen);
    }
    assert.match(found.map((finding) => finding.seen).join('\n'), seen);
  });
}

test('a server that falls behind the store is found even where caches say nothing, and one that catches up is only slow', async (t) => {
  const ahead = await new TestLog(leaves(301)).sign(301);
  const behind = (await examine(t, undefined, ahead)).filter(({ verdict }) => verdict !== 'ok');
  assert.deepEqual(
    behind.map(({ check, verdict }) => [check, verdict]),
    [['stale-checkpoint', 'problem']],
  );
  let readPastCaches = false;
  const slow = await examine(t, (response, { key, query }) => {
    if (key !== CHECKPOINT) return;
    // The read that is compared with it; the one after that is up to date.
    if (query === '' && readPastCaches) response.body = older.bytes;
    readPastCaches = query !== '';
  });
  assert.deepEqual(
    slow.filter(({ verdict }) => verdict !== 'ok').map(({ check, verdict }) => [check, verdict]),
    [['stale-checkpoint', 'warning']],
  );
});

test('a fork is called one', async (t) => {
  const forked = await log.forkAt(10).sign(300);
  const found = (await examine(t, undefined, forked)).filter(({ verdict }) => verdict !== 'ok');
  assert.equal(found.length, 1);
  assert.match(found[0]?.seen ?? '', /different roots.*forked/);
});

test('what is not this log ends the examination: another key, no checkpoint, nobody there', async (t) => {
  const other = await examine(t, (response, { key }) => {
    if (key === CHECKPOINT) response.body = Buffer.from('<html>hello</html>');
  });
  assert.deepEqual(
    other.map(({ check, verdict }) => [check, verdict]),
    [['checkpoint', 'problem']],
  );
  const none = await examine(t, (response, { key }) => {
    if (key === CHECKPOINT) response.status = 404;
  });
  assert.deepEqual(
    none.map(({ check, verdict }) => [check, verdict]),
    [['checkpoint', 'problem']],
  );
  const nobody = await findingsOf(webLog('http://127.0.0.1:9/'));
  assert.deepEqual(
    nobody.map(({ check, verdict }) => [check, verdict]),
    [['checkpoint', 'unchecked']],
  );
  assert.match(nobody[0]?.seen ?? '', /http:\/\/127\.0\.0\.1:9\/checkpoint/);
});

test('a server without validators is well: the checkpoint comes whole each time', async (t) => {
  const findings = await examine(t, ({ headers }) => {
    delete headers['etag'];
  });
  assert.ok(findings.every(({ verdict }) => verdict === 'ok'));
});

test('an empty log has no tiles to look at, and is well', async (t) => {
  const empty = new TestLog([]);
  await empty.publish(0);
  const base = await serveBadly(t, empty);
  const findings = await findingsOf(webLog(base));
  assert.deepEqual(
    findings.filter(({ verdict }) => verdict !== 'ok'),
    [],
  );
});

test('the tile that is asked for in vain is one that no log reaches, and another each time', async (t) => {
  const asked: string[] = [];
  const base = await serveBadly(t, log, (_response, { key }) => {
    if (isAbsentTile(key) && asked.at(-1) !== key) asked.push(key);
  });
  for (const random of [0, 0.5, 1 - 2 ** -53]) {
    await findingsOf(webLog(base, () => random));
  }
  assert.equal(new Set(asked).size, 3, asked.join());
  for (const key of asked) {
    const n = Number(key.slice('tile/0/'.length).replaceAll(/[x/]/g, ''));
    assert.ok(n >= 2 ** 44 && n < 2 ** 45, key);
  }
});
