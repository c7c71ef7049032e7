/** examples/prometheus, judged by promtool: as it is shipped, and spoilt, to know that promtool would say so. */

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { temporaryFolder } from '../cli/run-stele.ts';
import { type Ended, realPrograms, runProgram } from './real-programs.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples/prometheus');
/** The tests of the rules go through two days of minutes: half a minute, on two busy processors. */
const LIMIT_MS = 300_000;
const folder = temporaryFolder();
const shipped = (name: string): string => join(EXAMPLES, name);

type Promtool = (...args: readonly string[]) => Promise<Ended>;

function promtoolOf(t: TestContext): Promtool | undefined {
  const programs = realPrograms(t, 'promtool');
  return programs && ((...args) => runProgram(programs.promtool, args, LIMIT_MS));
}

async function assertTaken(promtool: Promtool, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await promtool(...args);
  assert.equal(status, 0, `promtool ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

async function assertRefused(promtool: Promtool, said: RegExp, ...args: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await promtool(...args);
  assert.equal(status, 1, `promtool ${args.join(' ')}\n${stdout}${stderr}`);
  assert.match(stdout + stderr, said);
}

/** The rules and their tests in a folder of their own, with one thing in the rules changed. */
function spoil(name: string, from: string, to: string): string {
  const place = join(folder, name);
  mkdirSync(place);
  const text = readFileSync(shipped('alerts.yml'), 'utf8');
  assert.ok(text.includes(from), from);
  writeFileSync(join(place, 'alerts.yml'), text.replaceAll(from, to));
  copyFileSync(shipped('alerts.test.yml'), join(place, 'alerts.test.yml'));
  return place;
}

test('promtool takes the configuration, and the rules that it names', async (t) => {
  const promtool = promtoolOf(t);
  if (promtool === undefined) return;
  const said = await assertTaken(promtool, 'check', 'config', shipped('prometheus.yml'));
  assert.match(said, /1 rule files found/);
});

test('promtool takes the rules and their texts, and would refuse a text that cannot be filled in', async (t) => {
  const promtool = promtoolOf(t);
  if (promtool === undefined) return;
  assert.match(await assertTaken(promtool, 'check', 'rules', shipped('alerts.yml')), /SUCCESS: \d+ rules found/);
  const place = spoil('texts', 'humanizeDuration', 'humaniseDuration');
  await assertRefused(promtool, /"humaniseDuration" not defined/, 'check', 'rules', join(place, 'alerts.yml'));
});

test('each alert fires when it should, and does not when it should not', async (t) => {
  const promtool = promtoolOf(t);
  if (promtool !== undefined) await assertTaken(promtool, 'test', 'rules', shipped('alerts.test.yml'));
});

test('the tests of the rules fail for a rule that fires too early, too late, or for what is not asked', async (t) => {
  const promtool = promtoolOf(t);
  if (promtool === undefined) return;
  const spoilt: readonly [name: string, from: string, to: string, test: string][] = [
    ['early', 'ratio_rate1h > 14.4 * 0.005', 'ratio_rate1h > 14.4 * 0.0005', 'one in ten'],
    ['late', 'stele_oldest_waiting_seconds > 30', 'stele_oldest_waiting_seconds > 300', 'nothing is published'],
    ['idle', '{republish="yes"}', '', 'an idle tree'],
  ];
  for (const [name, from, to, group] of spoilt) {
    const tests = join(spoil(name, from, to), 'alerts.test.yml');
    await assertRefused(promtool, /FAILED/, 'test', 'rules', `--run=^${group}`, tests);
    await assertTaken(promtool, 'test', 'rules', `--run=^${group}`, shipped('alerts.test.yml'));
  }
});

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
}

test('promtool can read every expression of the dashboard', async (t) => {
  const promtool = promtoolOf(t);
  if (promtool === undefined) return;
  const { panels } = JSON.parse(readFileSync(shipped('dashboard.json'), 'utf8')) as Dashboard;
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(expressions.length > 20);
  /** As Grafana sends them: its variables filled in. */
  const file = (...exprs: readonly string[]): string => {
    const rules = exprs.map((expr, i) => ({
      record: `panel${i}`,
      expr: expr.replaceAll('$__rate_interval', '1m').replace(/\$(?:job|instance)\b/g, '.*'),
    }));
    assert.ok(rules.every(({ expr }) => !expr.includes('$')));
    const path = join(folder, `panels-${exprs.length}.yml`);
    writeFileSync(path, stringify({ groups: [{ name: 'panels', rules }] }));
    return path;
  };
  const said = await assertTaken(promtool, 'check', 'rules', file(...expressions));
  assert.match(said, new RegExp(`SUCCESS: ${expressions.length} rules found`));
  await assertRefused(promtool, /parse error/, 'check', 'rules', file('sum by (job) (rate(up[$__rate_interval])'));
});
