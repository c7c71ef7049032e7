/** examples/prometheus asks for what this server tells, by its names; what promtool has to say is in test/interop. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { parse } from 'yaml';
import { SERVER_SETTINGS, SETTINGS } from '../../src/cli/config.ts';
import { BusyError } from '../../src/errors.ts';
import { QUEUE_LIMITS } from '../../src/queue/index.ts';
import { LogReader, parseVerifierKey } from '../../src/reader.ts';
import { serveLog } from '../../src/server/index.ts';
import { openReadableStore } from '../../src/store/index.ts';
import { vectorTree } from '../cli/run-stele.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Target {
  readonly expr: string;
  readonly legendFormat: string;
  readonly datasource: unknown;
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
}
interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
}

const rules = (parse(read('examples/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const dashboard = JSON.parse(read('examples/prometheus/dashboard.json')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
};
const graphs = dashboard.panels.filter(({ type }) => type !== 'row');

interface Sample {
  readonly metric: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** What Prometheus adds to every sample, or an operator in prometheus.yml. */
const SCRAPE_LABELS = new Set(['job', 'instance', 'witnesses', 'republish']);

let samples: readonly Sample[] = [];
before(async () => {
  samples = await scrape();
});

/** The metrics of a server that has met everything: labels are there once something happened. */
async function scrape(): Promise<Sample[]> {
  const { url, logKey } = vectorTree('tree-700-varied');
  const store = openReadableStore(url);
  const reader = new LogReader(store, parseVerifierKey(logKey.vkey));
  const checkpoint = await reader.checkpoint();
  const server = await serveLog({
    store,
    listen: { host: '127.0.0.1', port: 0 },
    public: false,
    onError: assert.ifError,
    entries: {
      writing: {
        submitOne: () => Promise.reject(new BusyError('full', 1_000)),
        waiting: () => ({ entries: 1, bytes: 1, oldestMs: 1 }),
        published: () => checkpoint,
      },
      reader,
      logId: new Uint8Array(32),
      verify: () => true,
      checksMs: () => 0,
      proposals: { kinds: ['raw'] },
      duplicates: 'entry',
      tokens: undefined,
      perMinute: 0,
      maxBodyBytes: 2 ** 20,
      timeoutMs: 1_000,
      staleMs: 1_000,
    },
  });
  try {
    server.metrics.onRetry('reading the checkpoint');
    const body = JSON.stringify({ rawRequestV001: { content: 'aGVsbG8=' } });
    const refused = await fetch(new URL('/api/v2/log/entries', server.url), { method: 'POST', body });
    assert.equal(refused.status, 503);
    await refused.arrayBuffer();
    const text = await (await fetch(new URL('/metrics', server.url))).text();
    return text.split('\n').flatMap((line) => {
      const [, metric, labels = ''] = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? /.exec(line) ?? [];
      if (metric === undefined) return [];
      const pairs = labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g);
      return [{ metric, labels: new Map([...pairs].map(([, name = '', value = '']) => [name, value])) }];
    });
  } finally {
    await server.close();
  }
}

interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

/** Words of PromQL that no parenthesis follows: operators, and aggregations before `by`. */
const WORDS = new Set(['and', 'or', 'bool', 'sum', 'max']);

/** As much of PromQL as tells what is asked for: series, and the labels that results are grouped by. */
function readExpression(expr: string): { readonly selectors: readonly Selector[]; readonly groups: readonly string[] } {
  const groups: string[] = [];
  const ungrouped = expr.replace(/\b(?:by|on)\s*\(([^)]*)\)/g, (_, list: string) => {
    groups.push(...list.split(',').map((label) => label.trim()));
    return '';
  });
  const selectors: Selector[] = [];
  // Numbers and ranges are no names; what an opening parenthesis follows is a function.
  const tokens = /\[[^\]]*\]|\b\d[\w.]*|([A-Za-z_:][\w:]*)\s*(\(|\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?/g;
  for (const [, metric, after = ''] of ungrouped.matchAll(tokens)) {
    if (metric === undefined || after === '(' || WORDS.has(metric)) continue;
    const matchers = [...after.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g)];
    selectors.push({
      metric,
      matchers: matchers.map(([, label = '', operator = '', value = '']) => ({ label, operator, value })),
    });
  }
  return { selectors, groups };
}

function isMet({ label, operator, value }: Selector['matchers'][number], { labels }: Sample): boolean {
  const has = labels.get(label) ?? '';
  const equal = operator.includes('~') ? new RegExp(`^(?:${value})$`).test(has) : has === value;
  return equal === operator.startsWith('=');
}

const recorded = new Map(rules.flatMap(({ record, expr }) => (record ? [[record, readExpression(expr).groups]] : [])));

/** The labels that the samples of a selector have, besides those of the scrape; a complaint where there is no such sample. */
function labelsOf({ metric, matchers }: Selector): ReadonlySet<string> | string {
  if (metric === 'up') return new Set();
  const kept = recorded.get(metric);
  if (kept !== undefined) return new Set(kept);
  const named = samples.filter((sample) => sample.metric === metric);
  if (named.length === 0) return `there is no ${metric}`;
  const ours = matchers.filter(({ label }) => !SCRAPE_LABELS.has(label));
  const found = named.find((sample) =>
    ours.every((matcher) => sample.labels.has(matcher.label) && isMet(matcher, sample)),
  );
  return found === undefined
    ? `no ${metric} has ${ours.map(({ label, operator, value }) => label + operator + value)}`
    : new Set(found.labels.keys());
}

/** What an expression asks for and no server tells; `shown`: the labels that are printed of its results. */
function complaints(expr: string, shown: readonly string[]): string[] {
  const { selectors, groups } = readExpression(expr);
  if (selectors.length === 0) return [`nothing is asked for by ${expr}`];
  const labels = new Set(SCRAPE_LABELS);
  const said: string[] = [];
  for (const selector of selectors) {
    const had = labelsOf(selector);
    if (typeof had === 'string') said.push(had);
    else for (const label of had) labels.add(label);
  }
  said.push(...groups.filter((label) => !labels.has(label)).map((label) => `nothing is grouped by ${label}`));
  const left = groups.length > 0 ? new Set(groups) : labels;
  said.push(...shown.filter((label) => !left.has(label)).map((label) => `no ${label} is left to show`));
  return said;
}

function matchesOf(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = '']) => found);
}

const textOf = ({ annotations = {} }: Rule): string => Object.values(annotations).join('\n');

test('the rules ask only for metrics, labels and values that a server tells', () => {
  assert.ok(rules.length > alerts.length && alerts.length >= 11);
  for (const rule of rules) {
    const shown = matchesOf(textOf(rule), /\$labels\.(\w+)/g);
    assert.deepEqual(complaints(rule.expr, shown), [], rule.alert ?? rule.record);
  }
});

test('the dashboard asks only for metrics, labels and values that a server tells', () => {
  for (const { title, targets = [] } of graphs) {
    assert.ok(targets.length > 0, title);
    for (const { expr, legendFormat } of targets) {
      assert.deepEqual(complaints(expr, matchesOf(legendFormat, /\{\{(\w+)\}\}/g)), [], title);
    }
  }
  for (const { name, type, query } of dashboard.templating.list) {
    if (typeof query === 'string') continue;
    const [, expr = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query.query) ?? [];
    assert.deepEqual([type, complaints(expr, [label])], ['query', []], name);
  }
});

test('a metric, a label and a value that no server tells are seen, wherever they stand', () => {
  const wrong: readonly [expr: string, shown: readonly string[], complaint: RegExp][] = [
    ['sum by (job) (rate(stele_http_request_total{code="503"}[5m])) > 1', [], /^there is no stele_http_request_total$/],
    ['time() - max(stele_last_publication_seconds > 0)', [], /^there is no stele_last_publication_seconds$/],
    [
      'job:stele_submission_errors:ratio_rate2h > 14.4 * 0.005',
      [],
      /^there is no job:stele_submission_errors:ratio_rate2h$/,
    ],
    ['stele_waiting_entries / 1e6 or stele_waiting_octets', [], /^there is no stele_waiting_octets$/],
    ['stele_http_requests_total{status=~"5.."}', [], /^no stele_http_requests_total has status/],
    ['stele_http_requests_total{route="/api/v1/log/entries"}', [], /^no stele_http_requests_total has route/],
    ['stele_submission_duration_seconds_bucket{le="7"}', [], /^no stele_submission_duration_seconds_bucket has le/],
    ['sum by (reason) (stele_retries_total)', [], /^nothing is grouped by reason$/],
    ['sum by (job) (stele_retries_total)', ['doing'], /^no doing is left to show$/],
    ['stele_tree_size', ['doing'], /^no doing is left to show$/],
    ['vector(1)', [], /^nothing is asked for/],
  ];
  for (const [expr, shown, complaint] of wrong) {
    const said = complaints(expr, shown);
    assert.equal(said.length, 1, `${expr}: ${said}`);
    assert.match(said[0] ?? '', complaint);
  }
});

test('each alert has a severity, and says what it is, what it means and what to look at first', () => {
  for (const { alert, labels = {}, annotations = {} } of alerts) {
    assert.match(labels['severity'] ?? '', /^(page|ticket)$/, alert);
    assert.deepEqual(Object.keys(annotations).sort(), ['description', 'runbook', 'summary'], alert);
    for (const text of Object.values(annotations)) assert.ok(text.length > 20, alert);
    assert.match(annotations['runbook'] ?? '', /^Look first at /, alert);
  }
});

test('each alert fires in a test of promtool, with its severity, and is silent in another', () => {
  const { tests } = parse(read('examples/prometheus/alerts.test.yml')) as {
    tests: { promql_expr_test: { exp_samples?: { labels: string }[] }[] }[];
  };
  const fired = tests.map(({ promql_expr_test }) =>
    promql_expr_test.flatMap(({ exp_samples = [] }) => exp_samples.map(({ labels }) => labels)).join('\n'),
  );
  for (const { alert, labels = {} } of alerts) {
    const named = new RegExp(`\\balertname="${alert}".*\\bseverity="${labels['severity']}"`);
    const times = fired.filter((text) => named.test(text)).length;
    assert.ok(times > 0 && times < fired.length, alert);
  }
});

test('what alerts and panels send operators to is there: panels, alerts, chapters of the runbook, settings, lines of the log', () => {
  const places = new Set([
    ...graphs.map(({ title }) => title),
    ...matchesOf(read('docs/runbook.md'), /^## (.*)$/gm),
    ...matchesOf(read('src/cli/verbs/serve.ts'), /log\.error\(.*'(.*)'\)/g),
  ]);
  const settings = new Set<string>([...Object.keys(SETTINGS), ...Object.keys(SERVER_SETTINGS)]);
  const names = new Set(alerts.map(({ alert }) => alert));
  const texts = [...alerts.map(textOf), ...graphs.map(({ description = '' }) => description)];
  const named = { places: 0, settings: 0, alerts: 0 };
  for (const text of texts) {
    for (const place of matchesOf(text, /"([^"]+)"/g)) assert.ok(places.has(place) && ++named.places, place);
    for (const setting of matchesOf(text, /\b((?:server|publish|maxUnpublished)\.\w+)/g)) {
      assert.ok(settings.has(setting) && ++named.settings, setting);
    }
    for (const alert of matchesOf(text, /\b(Stele[A-Z]\w+)/g)) assert.ok(names.has(alert) && ++named.alerts, alert);
  }
  for (const [what, count] of Object.entries(named)) assert.ok(count > 3, what);
});

test('SteleQueueFull measures by the limits that a server has unless it is told others', () => {
  const { maxEntries, maxBytes } = QUEUE_LIMITS;
  const { expr = '' } = alerts.find(({ alert }) => alert === 'SteleQueueFull') ?? {};
  assert.ok(expr.includes(`stele_waiting_entries / ${maxEntries} >`), expr);
  assert.ok(expr.includes(`stele_waiting_bytes / (${maxBytes / 2 ** 20} * 1024 * 1024) >`), expr);
});

test('each panel has a title, a unit, a description and the data source that is chosen, and none lies upon another', () => {
  const { panels, templating } = dashboard;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  assert.ok(graphs.length >= 20);
  const chosen = { type: 'prometheus', uid: `\${datasource}` };
  for (const { title, description = '', datasource, fieldConfig, targets = [] } of graphs) {
    assert.ok(title.length > 3 && description.length > 20 && fieldConfig?.defaults.unit, title);
    for (const source of [datasource, ...targets.map((target) => target.datasource)]) {
      assert.deepEqual(source, chosen, title);
    }
  }
  assert.equal(templating.list.find(({ name }) => name === 'datasource')?.type, 'datasource');
  const taken = new Map<string, string>();
  for (const { title, gridPos } of panels) {
    assert.ok(title.length > 0 && gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.equal(taken.get(`${x},${y}`), undefined, title);
        taken.set(`${x},${y}`, title);
      }
    }
  }
});
