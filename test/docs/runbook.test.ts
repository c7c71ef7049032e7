/** docs/runbook.md cannot rot: its commands are run in their order, and what is said of it elsewhere is in it. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { temporaryFolder } from '../cli/run-stele.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUNBOOK = readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8');
const folder = temporaryFolder();

interface Step {
  readonly section: string;
  readonly script: string;
}

/** What is run: `sh` blocks, and comments that only tests see, which bring about what a section is for. */
function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  let section = '';
  for (const [, heading, block, hidden] of markdown.matchAll(
    /^## (.*)$|^```sh\n([\s\S]*?)^```$|^<!-- test: (.*) -->$/gm,
  )) {
    section = heading ?? section;
    const script = block ?? hidden;
    if (script !== undefined) steps.push({ section, script });
  }
  return steps;
}

/** A folder with a `stele` for PATH, that runs this repository's. */
function commandFolder(): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const launcher = join(ROOT, 'bin/stele.js');
  writeFileSync(join(bin, 'stele'), `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`);
  chmodSync(join(bin, 'stele'), 0o755);
  return bin;
}

test('the commands of the runbook, in their order, do what it says', () => {
  const steps = stepsOf(RUNBOOK);
  const [log, mirror] = [join(folder, 'my-log'), join(folder, 'mirror')];
  const entries = join(folder, 'entries');
  writeFileSync(entries, Array.from({ length: 300 }, (_, i) => `entry ${i}\n`).join(''));
  const script = steps.map(
    ({ section, script: text }) =>
      `echo '== ${section.replaceAll("'", '')}'\n${text.trimEnd().replace(/^! (.*)$/, 'if $1; then exit 99; fi')}\n`,
  );
  const clean = Object.entries(process.env).filter(([name]) => !/^(STELE|NODE|GITHUB)_/.test(name));
  const ran = spawnSync('sh', ['-eux'], {
    cwd: folder,
    input: script.join(''),
    encoding: 'utf8',
    env: {
      ...Object.fromEntries(clean),
      PATH: `${commandFolder()}:${process.env['PATH']}`,
      LOG: log,
      BACKUP: join(folder, 'backup'),
      MIRROR: pathToFileURL(mirror).href,
      MIRROR_FOLDER: mirror,
      ENTRIES: entries,
    },
  });
  assert.equal(ran.status, 0, `${ran.stdout.slice(-2_000)}\n${ran.stderr.slice(-3_000)}`);
  const moved = join(folder, 'my-log-moved');
  assert.match(ran.stdout, /ok: log\.example\/demo, 301 entries/);
  assert.match(ran.stdout, /^private-lost: /m);
  assert.match(ran.stdout, /^checkpoint-lost: /m);
  assert.match(ran.stdout, /^public-older: /m);
  assert.ok(existsSync(join(moved, 'public/checkpoint')));
  const { origin } = parse(readFileSync(join(`${log}-compromised-2`, 'stele.yaml'), 'utf8')) as { origin: string };
  assert.equal(origin, 'log.example/demo-2');
});

test('what messages and files name in docs/runbook.md is a heading there', () => {
  const headings = [...RUNBOOK.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  let named = 0;
  for (const file of sources) {
    const text = readFileSync(join(ROOT, 'src', file), 'utf8');
    for (const [, before, after] of text.matchAll(/“([^”]*)” in docs\/runbook\.md|docs\/runbook\.md, “([^”]*)”/g)) {
      assert.ok(headings.includes(before ?? after), `${file}: ${before ?? after}`);
      named += 1;
    }
    // Every mention is of one of these forms.
    const mentions = text.split('docs/runbook.md').length - 1;
    const told = [...text.matchAll(/” in docs\/runbook\.md|docs\/runbook\.md, “/g)].length;
    assert.equal(mentions, told, file);
  }
  assert.ok(named >= 3);
});

test('every link of the runbook leads somewhere', () => {
  const anchors = new Set(
    [...RUNBOOK.matchAll(/^## (.*)$/gm)].map(([, heading = '']) => `#${heading.toLowerCase().replaceAll(' ', '-')}`),
  );
  const links = [...RUNBOOK.matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => target);
  assert.ok(links.length >= 5);
  for (const link of links) {
    assert.ok(link.startsWith('#') ? anchors.has(link) : existsSync(join(ROOT, 'docs', link)), link);
  }
});
