/** `stele doctor` on logs that something is wrong with; how a bad web server is found is test/client/doctor.test.ts. */

import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { judgeRoom } from '../../src/cli/doctor-machine.ts';
import { neighbourUrl } from '../../src/cli/doctor-private.ts';
import { judgeAge, judgeJournal } from '../../src/cli/doctor-stores.ts';
import type { CheckName, Finding, Verdict } from '../../src/client/index.ts';
import { serveLog } from '../../src/server/index.ts';
import { openReadableStore } from '../../src/store/index.ts';
import { type Ran, steleHere, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();

interface Report {
  readonly status: number | null;
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<Verdict, number>>;
  /** Findings that are not `ok`, and what the disks here happen to have left is left out. */
  readonly amiss: readonly Finding[];
}

async function ok(args: readonly string[], input = ''): Promise<Ran> {
  const ran = await steleHere(args, { input });
  assert.equal(ran.status, 0, `stele ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran;
}

async function doctor(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Report> {
  const ran = await steleHere(['doctor', ...args, '--json'], { env });
  const { findings, counts } = JSON.parse(ran.stdout) as { findings: Finding[]; counts: Record<Verdict, number> };
  const amiss = findings.filter(({ check, verdict }) => verdict !== 'ok' && check !== 'disk');
  return { status: ran.status, findings, counts, amiss };
}

/** A log of three entries in folders of its own, in `www/NAME`, `state/NAME` and NAME. */
async function newLog(name: string, ...args: string[]): Promise<{ dir: string; vkey: string; public: string }> {
  const [dir, publicFolder] = [join(folder, name), join(folder, 'www', name)];
  const stores = ['--public-store', publicFolder, '--private-store', join(folder, 'state', name)];
  const { stdout } = await ok(['init', dir, '--origin', `log.example/${name}`, ...stores, ...args]);
  await ok(['add', '-C', dir, '--lines', '-'], 'a\nb\nc\n');
  await ok(['sequence', '-C', dir, '--once']);
  return { dir, vkey: stdout.trim(), public: publicFolder };
}

async function served(t: TestContext, publicFolder: string): Promise<string> {
  const store = openReadableStore(pathToFileURL(publicFolder).href);
  const listen = { host: '127.0.0.1', port: 0 };
  const server = await serveLog({ store, listen, public: false, onError: assert.ifError });
  t.after(() => server.close());
  return server.url;
}

/** Names the URL of a log that is there already, which only the port of its server tells. */
function serveAt(dir: string, url: string): void {
  const config = join(dir, 'stele.yaml');
  writeFileSync(config, `${readFileSync(config, 'utf8')}url: ${url}\n`);
}

function only(report: Report, check: CheckName, verdict: Verdict, seen: RegExp): void {
  const found = report.amiss.map((finding) => [finding.check, finding.verdict]);
  assert.deepEqual(found, [[check, verdict]], JSON.stringify(report.amiss, null, 1));
  assert.match(report.amiss[0]?.seen ?? '', seen);
  if (verdict === 'problem' || verdict === 'warning') assert.ok((report.amiss[0]?.remedy ?? '').length > 10);
}

async function listening(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

// Each waits a while between two requests for one object.
suite('stele doctor', { concurrency: true }, () => {
  test('a healthy log that `stele serve` serves passes everything, by its folder and by its URL', async (t) => {
    const log = await newLog('healthy');
    const url = await served(t, log.public);
    serveAt(log.dir, url);
    const byFolder = await doctor([log.dir]);
    assert.deepEqual(byFolder.amiss, []);
    const checks = new Set(byFolder.findings.map(({ check }) => check));
    for (const check of [
      'key-file',
      'disk',
      'same-log',
      'journal',
      'queue',
      'age',
      'private-store',
      'cors',
      'absent',
    ]) {
      assert.ok(checks.has(check as CheckName), check);
    }
    const byUrl = await doctor([url, '--vkey', log.vkey]);
    assert.deepEqual([byUrl.status, byUrl.amiss], [0, []]);
    const text = await steleHere(['doctor', url, '--vkey', log.vkey]);
    assert.equal(text.status, 0);
    assert.match(text.stdout, /^ok {8}checkpoint: http.*size 3/);
    assert.match(text.stdout, /\n0 problems, 0 warnings, 0 not checked, \d+ ok\n$/);
  });

  test('a log that says nowhere where it is served is looked at without that, and says so', async () => {
    const { dir } = await newLog('unserved');
    only(await doctor([dir]), 'served', 'warning', /does not say where the log is served/);
    const text = await steleHere(['doctor', dir]);
    assert.match(text.stdout, /^warning {3}served: .*\n {10}→ set url in stele\.yaml/m);
  });

  test('nobody at the URL leaves what is served unchecked: exit status 3', async () => {
    const { dir } = await newLog('away', '--url', 'http://127.0.0.1:9/');
    const report = await doctor([dir]);
    only(report, 'checkpoint', 'unchecked', /127\.0\.0\.1:9/);
    if (report.counts.problem === 0) assert.equal(report.status, 3);
  });

  test('a URL that serves an older checkpoint than the store has is found', async (t) => {
    const log = await newLog('behind');
    const mirror = join(folder, 'behind-mirror');
    cpSync(log.public, mirror, { recursive: true });
    await ok(['add', '-C', log.dir, '--lines', '-'], 'd\n');
    await ok(['sequence', '-C', log.dir, '--once']);
    serveAt(log.dir, await served(t, mirror));
    const report = await doctor([log.dir]);
    only(report, 'stale-checkpoint', 'problem', /stays behind the store, which has size 4/);
    assert.equal(report.status, 1);
  });

  test('what a server says cannot command the terminal of who examines it', async (t) => {
    const { vkey } = await newLog('terminal');
    const hostile = createServer((_request, response) => {
      response.end('log.example/\x1b]0;owned\x07\u009b2J\n');
    });
    const { stdout, status } = await steleHere(['doctor', await listening(t, hostile), '--vkey', vkey]);
    assert.equal(status, 1);
    assert.match(stdout, /^problem {3}checkpoint: /);
    assert.doesNotMatch(stdout.replaceAll('\n', ''), /\p{Cc}/u);
  });

  test('a key that others can read is a problem: exit status 1', async () => {
    const { dir } = await newLog('open-key', '--url', 'http://127.0.0.1:9/');
    chmodSync(join(dir, 'key'), 0o644);
    const report = await doctor([dir]);
    const found = report.amiss.find(({ check }) => check === 'key-file');
    assert.deepEqual([report.status, found?.verdict], [1, 'problem']);
    assert.match(`${found?.seen} ${found?.remedy}`, /0644.*chmod 600/);
  });

  test('a lost key is a warning; a key from the environment is seen', async (t) => {
    const log = await newLog('lost-key');
    serveAt(log.dir, await served(t, log.public));
    const key = readFileSync(join(log.dir, 'key'), 'utf8').trim();
    rmSync(join(log.dir, 'key'));
    only(await doctor([log.dir]), 'key-file', 'warning', /cannot be seen/);
    assert.deepEqual((await doctor([log.dir], { STELE_KEY: key })).amiss, []);
  });

  test('submissions that nobody takes, and some that were set aside, are found in the queue', async (t) => {
    const log = await newLog('stalled');
    serveAt(log.dir, await served(t, log.public));
    const bad = join(folder, 'state/stalled/queue/bad');
    mkdirSync(bad, { recursive: true });
    writeFileSync(join(bad, '0001'), 'not an item');
    writeFileSync(join(bad, '0001.why'), 'magic');
    only(await doctor([log.dir]), 'queue', 'warning', /^1 submissions were set aside/);

    await ok(['add', '-C', log.dir, '--lines', '-'], 'late\n');
    const submissions = join(folder, 'state/stalled/queue/new');
    const [item = ''] = readdirSync(submissions);
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(join(submissions, item), longAgo, longAgo);
    only(await doctor([log.dir]), 'queue', 'problem', /1 of 1 submissions wait since 60 min/);
  });

  test('a queue that lies elsewhere is looked at there', async (t) => {
    const log = await newLog('queue-elsewhere');
    serveAt(log.dir, await served(t, log.public));
    const queue = join(folder, 'queue-of-its-own');
    const config = join(log.dir, 'stele.yaml');
    writeFileSync(config, `${readFileSync(config, 'utf8')}queue:\n  url: ${queue}\n`);
    assert.match(JSON.stringify(await doctor([log.dir])), /nobody has submitted anything/);
    await ok(['add', '-C', log.dir, '--lines', '-'], 'late\n');
    const [item = ''] = readdirSync(join(queue, 'new'));
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(join(queue, 'new', item), longAgo, longAgo);
    only(await doctor([log.dir]), 'queue', 'problem', /1 of 1 submissions wait/);
  });

  test('stores that do not belong together are found, before a writer refuses them', async (t) => {
    const one = await newLog('one');
    await newLog('other');
    serveAt(one.dir, await served(t, one.public));
    cpSync(join(folder, 'state/other'), join(folder, 'state/one'), { recursive: true, force: true });
    const report = await doctor([one.dir]);
    const found = report.amiss.find(({ check }) => check === 'same-log');
    assert.deepEqual([report.status, found?.verdict], [1, 'problem'], JSON.stringify(report.amiss));
    assert.match(`${found?.seen} ${found?.remedy}`, /log\.example\/one.*log\.example\/other.*stele recover/);
  });

  test('a lost private store is found and not made anew by looking for it', async (t) => {
    const log = await newLog('no-private');
    serveAt(log.dir, await served(t, log.public));
    const privateFolder = join(folder, 'state/no-private');
    rmSync(privateFolder, { recursive: true });
    for (let round = 0; round < 2; round++) {
      const { amiss, status } = await doctor([log.dir]);
      assert.equal(status, 1);
      assert.match(amiss.find(({ check }) => check === 'same-log')?.seen ?? '', /there is no private store/);
    }
  });

  test('a private store and a key that the web server serves, too, are found', async (t) => {
    // The web root is one folder too high: everything beside the log is served with it.
    const root = join(folder, 'exposed');
    const dir = join(root, 'log');
    await ok(['init', dir, '--origin', 'log.example/exposed']);
    const exposed = createServer((request, response) => {
      try {
        response.end(readFileSync(join(dir, new URL(request.url ?? '', 'http://log').pathname)));
      } catch {
        response.writeHead(404, { 'cache-control': 'no-store' }).end();
      }
    });
    const url = `${await listening(t, exposed)}public/`;
    serveAt(dir, url);
    const { amiss, status } = await doctor([dir]);
    const found = amiss.find(({ check }) => check === 'private-store');
    assert.deepEqual([status, found?.verdict], [1, 'problem']);
    assert.match(
      `${found?.seen} ${found?.remedy}`,
      /private\/log\.json serves the private store to everyone.*must not be/,
    );
    rmSync(join(dir, 'private/log.json'));
    const key = (await doctor([dir])).amiss.find(({ check }) => check === 'private-store');
    assert.match(`${key?.seen} ${key?.remedy}`, /\/key serves the signer key.*known to others/);
  });

  test('the URL of a neighbour is where a web root one folder up would serve it, and none above the root', () => {
    assert.equal(neighbourUrl('http://log/a/public', '/srv/public', '/srv/key'), 'http://log/a/key');
    assert.equal(neighbourUrl('http://log/public/', '/srv/public', '/srv/x y/log.json'), 'http://log/x%20y/log.json');
    assert.equal(neighbourUrl('http://log/', '/srv/public', '/srv/key'), undefined);
  });

  test('a checkpoint that is older than publish.republish promises is a problem', () => {
    const minute = 60_000;
    const now = 1_000 * minute;
    assert.equal(judgeAge(now - 100 * minute, undefined, now).verdict, 'ok');
    assert.equal(judgeAge(now - 24 * minute, 10 * minute, now).verdict, 'ok');
    assert.equal(judgeAge(now - 26 * minute, 10 * minute, now).verdict, 'problem');
    assert.equal(judgeAge(now + 30 * minute, 10 * minute, now).check, 'clock');
  });

  test('a journal that is not published, and one that is never collected, are told apart from a healthy one', () => {
    const now = 10_000_000;
    const record = (start: number, ageMs: number) => ({
      key: `journal/${String(start).padStart(16, '0')}`,
      size: 1,
      modified: now - ageMs,
    });
    const hour = 3_600_000;
    assert.equal(judgeJournal([], 0, now).verdict, 'ok');
    assert.equal(judgeJournal([record(0, hour), record(5, 1_000)], 5, now).verdict, 'ok');
    const overdue = judgeJournal([record(0, hour), record(5, hour)], 5, now);
    assert.deepEqual([overdue.verdict, /1 commits beyond the published size 5/.test(overdue.seen)], ['problem', true]);
    const many = Array.from({ length: 70 }, (_, start) => record(start, hour));
    const uncollected = judgeJournal(many, 70, now);
    assert.deepEqual([uncollected.verdict, uncollected.seen.startsWith('69 records')], ['warning', true]);
  });

  test('disks are judged by bytes and by inodes', () => {
    const gib = 2 ** 30;
    const cases: [bytes: number, inodes: number, verdict: Verdict][] = [
      [2 * gib, 100_000, 'ok'],
      [gib - 1, 100_000, 'warning'],
      [2 * gib, 49_999, 'warning'],
      [gib / 32, 100_000, 'problem'],
      [2 * gib, 999, 'problem'],
      [2 * gib, Number.POSITIVE_INFINITY, 'ok'],
    ];
    for (const [bytes, inodes, verdict] of cases) {
      assert.equal(judgeRoom('/srv', { bytes, inodes }).verdict, verdict, `${bytes} ${inodes}`);
    }
  });
});
