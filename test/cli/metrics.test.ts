/** `stele sequence --metrics`: what a sequencer of its own tells Prometheus, and whoever asks how it is. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { type Running, start, steleHere, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();

async function newLog(name: string): Promise<string> {
  const dir = join(folder, name);
  const made = await steleHere(['init', dir, '--origin', `log.example/${name}`]);
  assert.equal(made.status, 0, made.stderr);
  return dir;
}

/** A sequencer that does not outlive the test. */
function sequence(t: TestContext, dir: string, ...flags: readonly string[]): Running {
  const service = start(['sequence', '-C', dir, ...flags]);
  t.after(() => service.child.kill('SIGKILL'));
  return service;
}

/** Samples by name and labels. */
async function scrape(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(url)).text();
  const samples = text.matchAll(/^(?<sample>[a-z_]\w*(?:\{[^}]*\})?) (?<value>\S+)$/gm);
  return new Map([...samples].map(({ groups }) => [groups?.['sample'] ?? '', Number(groups?.['value'])]));
}

test('a sequencer tells what it committed and published, which is what alerts ask for, and is ready until it stops (OBS-1, OBS-2)', async (t) => {
  const dir = await newLog('told');
  const service = sequence(t, dir, '--publish.interval', '0', '--metrics', '0');
  const url = new URL(await service.said(/metrics on (http:\/\/127\.0\.0\.1:\d+\/)metrics/));
  const added = await steleHere(['add', '-C', dir, '--lines', '-', '--wait'], { input: 'a\nb\na\nc\n' });
  assert.equal(added.status, 0, added.stderr);
  const samples = await scrape(`${url}metrics`);
  for (const [name, value] of [
    ['stele_tree_size', 3],
    ['stele_committed_entries_total', 3],
    ['stele_publications_total', 1],
    ['stele_waiting_entries', 0],
    ['stele_waiting_bytes', 0],
    ['stele_oldest_waiting_seconds', 0],
    ['stele_checkpoint_cosignatures', 0],
  ] as const) {
    assert.equal(samples.get(name), value, name);
  }
  const published = samples.get('stele_last_publication_timestamp_seconds') ?? 0;
  assert.ok(Math.abs(published - Date.now() / 1_000) < 60, String(published));
  assertAlertsAskFor(new Set([...samples.keys()].map((sample) => sample.replace(/\{.*/, ''))));
  for (const [path, status, body] of [
    ['healthz', 200, '{"status":"SERVING"}'],
    ['readyz', 200, '{"status":"READY"}'],
    ['checkpoint', 404, 'not found\n'],
    ['openapi.json', 404, 'not found\n'],
    ['', 404, 'not found\n'],
  ] as const) {
    const answer = await fetch(new URL(path, url));
    assert.deepEqual([answer.status, await answer.text()], [status, body], path);
  }
  const posted = await fetch(new URL('metrics', url), { method: 'POST', body: '{}' });
  assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD']);
  const elsewhere = new URL('healthz', url);
  elsewhere.hostname = '127.0.0.2';
  await assert.rejects(fetch(elsewhere), TypeError, 'a port alone is for this machine only');
  service.child.kill('SIGTERM');
  const { status, stderr } = await service.ended;
  assert.equal(status, 0, stderr);
  await assert.rejects(fetch(new URL('healthz', url)));
});

/** Fails unless the alerts about publication ask only for metrics of these names. */
function assertAlertsAskFor(names: ReadonlySet<string>): void {
  const text = readFileSync(join(import.meta.dirname, '../../examples/prometheus/alerts.yml'), 'utf8');
  const { groups } = parse(text) as { groups: { name: string; rules: { alert: string; expr: string }[] }[] };
  const rules = groups.find(({ name }) => name === 'stele-publication')?.rules ?? [];
  assert.ok(rules.length >= 6);
  // A counter of retries has no sample before the first one.
  const known = (metric: string): boolean => metric === 'stele_retries_total' || names.has(metric);
  for (const { alert, expr } of rules) {
    const asked = expr.match(/\bstele_\w+/g) ?? [];
    assert.deepEqual([asked.length > 0, asked.filter((metric) => !known(metric))], [true, []], alert);
  }
}

test('an address for metrics that is none, is taken, or has nobody to ask is refused before anything is written', {
  timeout: 60_000,
}, async (t) => {
  const dir = await newLog('refused');
  const first = sequence(t, dir, '--metrics', '127.0.0.1:0');
  const taken = await first.said(/metrics on http:\/\/(127\.0\.0\.1:\d+)\//);
  const other = await newLog('other');
  await steleHere(['add', '-C', other, '--lines', '-'], { input: 'a\n' });
  const refused: readonly (readonly [flags: readonly string[], message: RegExp])[] = [
    [['--metrics', 'here'], /listen address "here": expected HOST:PORT/],
    [['--metrics', '127.0.0.1:65536'], /listen address/],
    [['--metrics', taken], /cannot listen on 127\.0\.0\.1:\d+/],
    [['--metrics', '0', '--once'], /--once ends before anybody asks for --metrics/],
  ];
  const ended = refused.map(async ([flags, message]) => {
    const { status, stderr } = await sequence(t, other, ...flags).ended;
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  });
  await Promise.all(ended);
  assert.equal(JSON.parse((await steleHere(['checkpoint', other, '--json'])).stdout).size, 0);
  first.child.kill('SIGTERM');
  assert.equal((await first.ended).status, 0);
});
