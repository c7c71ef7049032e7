/** What README says that a log in a bucket costs: the table is what the command prints, and the command counts right. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { monthly } from '../../bench/requests.ts';
import { growth } from '../../src/tiles/index.ts';

const ROOT = join(import.meta.dirname, '../..');
const MONTH_S = 30 * 86_400;
const OPTIONS = { poll: 5, interval: 1, priceWrite: 0.005, priceRead: 0.0004, json: false };

test('every line of the cost tables in README is a line that the command prints', () => {
  const printed = execFileSync(process.execPath, ['--conditions=source', join(ROOT, 'bench/main.ts'), 'requests'], {
    encoding: 'utf8',
  });
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const quoted = readme.split('\n').filter((line) => /^\|.*\$[\d.]+ \|$/.test(line));
  assert.ok(quoted.length >= 10, `${quoted.length} lines with money`);
  for (const line of quoted) assert.ok(printed.split('\n').includes(line), line);
});

test('the PUTs of a month are those of as many growths, each with its record and its checkpoint', () => {
  // A multiple of 256 would need no partial tiles at all, and cost less.
  for (const rate of [1, 37, 100, 301, 701]) {
    const publications = 2_000;
    let objects = 0;
    for (let k = 0; k < publications; k++) {
      const { tiles, bundles } = growth(k * rate, (k + 1) * rate);
      objects += tiles.length + bundles.length;
    }
    const counted = (objects / publications + 2) * MONTH_S;
    const { puts, lists, gets } = monthly(rate, undefined, OPTIONS);
    assert.ok(Math.abs(puts / counted - 1) < 0.05, `${rate} a second: ${puts} against ${counted}`);
    assert.deepEqual([lists, gets], [0, MONTH_S]);
  }
});
