import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import yargs from 'yargs';
import { main } from '../../src/cli/main.ts';
import { VERBS } from '../../src/cli/verb-table.ts';
import { stele, steleHere, temporaryFolder, vectorTree } from './run-stele.ts';

const folder = temporaryFolder();
const log = vectorTree('tree-1');
const at = (name: string) => join(folder, name);

test('every verb explains itself with at least two examples', async () => {
  for (const [name, { load }] of Object.entries(VERBS)) {
    const parser = yargs([]).scriptName('stele');
    (await load()).default.declare(parser);
    const help = await parser.getHelp();
    const examples = help.slice(help.indexOf('Examples:')).match(/^ {2}stele (\S+)/gm) ?? [];
    assert.ok(examples.length >= 2, `${name}: ${help}`);
  }
});

test('the help of a verb shows its line, its options and its examples', async () => {
  const { status, stdout, stderr } = await stele(['fsck', '--help']);
  assert.deepEqual([status, stderr], [0, '']);
  for (const part of [/stele fsck <log>/, /--vkey/, /--json/, /stele fsck my-log/]) assert.match(stdout, part);
});

test('the command says what it is and which version it is', async () => {
  const [help, version] = await Promise.all([stele(['--help']), stele(['--version'])]);
  for (const name of [...Object.keys(VERBS), 'completion']) assert.match(help.stdout, new RegExp(`stele ${name}\\b`));
  const { version: expected } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual([help.status, version.status, version.stdout], [0, 0, `${expected}\n`]);
});

test('a command line that is wrong exits with 2, says what is wrong, and points to the help (LIMIT-5)', async () => {
  const cases: [string[], RegExp][] = [
    [[], /which verb\?.*stele --help/],
    [['frobnicate'], /frobnicate.*stele --help/],
    [['get'], /stele get --help/],
    [['get', log.url], /stele get --help/],
    [['checkpoint', log.url, '--colour'], /colour.*stele checkpoint --help/],
    [['checkpoint', log.url, 'extra'], /extra/],
    [['checkpoint', log.url, '--vkey'], /vkey/],
    [['checkpoint', log.url, '--vkey', 'a', '--vkey', 'b'], /--vkey is given 2 times/],
    [['verify', 'x'], /proof/],
    [['key', 'polish'], /polish/],
    [['key', 'generate'], /--origin/],
    [['add', '-C', folder], /--lines/],
    [['serve', '-C', folder], /there is no .*stele\.yaml/],
    [['init', at('new')], /origin/],
    [['init', '', '--origin', 'log.example'], /dir is empty/],
    [['add', '-C', '', 'x'], /--dir is empty/],
    [['add', '-C', folder, 'x', ''], /files is empty/],
    [['key', 'show', '--key', folder], /is a folder/],
    [['--', 'get'], /stele get --help/],
    [['checkpoint', log.url, '--', '-y'], /: -y;/],
  ];
  const runs = await Promise.all(cases.map(([args]) => steleHere(args)));
  for (const [i, [args, message]] of cases.entries()) {
    const { status, stdout, stderr } = runs[i] ?? {};
    assert.deepEqual([status, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
    assert.match(stderr ?? '', message);
    assert.equal(stderr?.split('\n').length, 2, `one line: ${stderr}`);
  }
});

test('with --json a failure is one JSON document on standard output', async () => {
  const { status, stdout, stderr } = await steleHere(['get', log.url, '--json']);
  assert.deepEqual([status, stderr], [2, '']);
  assert.deepEqual(Object.keys(JSON.parse(stdout)), ['error']);
  assert.equal(JSON.parse(stdout).error.code, 'config');
});

test('a reader that goes away is no failure', async () => {
  const launcher = fileURLToPath(new URL('../../bin/stele.js', import.meta.url));
  const child = spawn(process.execPath, [launcher, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  assert.deepEqual([status, stderr], [0, '']);
});

test('after -- an argument is no option, whatever it looks like', async () => {
  const cases = [
    ['--', 'checkpoint', log.url],
    ['checkpoint', '--vkey', log.logKey.vkey, '--', log.url],
  ];
  for (const args of cases) {
    const { status, stdout } = await steleHere(args, { env: { STELE_VKEY: log.logKey.vkey } });
    assert.deepEqual([status, stdout.split('\n')[0]], [0, log.origin], args.join(' '));
  }
  const { status, stderr } = await steleHere(['checkpoint', '--', '--json']);
  assert.deepEqual([status, /no --json\/stele\.yaml/.test(stderr)], [2, true], stderr);
});

test('a result that cannot be written is no answer: 2, and why', async () => {
  const env = { STELE_VKEY: log.logKey.vkey };
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const failing = () => new Writable({ write: (_chunk, _encoding, done) => done(full) });
  for (const args of [
    ['checkpoint', log.url],
    ['checkpoint', log.url, '--json'],
    ['fsck', log.url],
  ]) {
    const said: string[] = [];
    const stderr = new Writable({ write: (chunk, _encoding, done) => done(void said.push(`${chunk}`)) });
    const status = await main(args, { stdin: Readable.from([]), stdout: failing(), stderr, env });
    assert.deepEqual([status, said.length], [2, 1]);
    assert.match(said.join(''), /standard output: ENOSPC/);
  }
  const status = await main(['nope'], { stdin: Readable.from([]), stdout: failing(), stderr: failing(), env });
  assert.equal(status, 2);
});

test('completion prints a script, and completes verbs and their options', async () => {
  const [script, verbs, options] = await Promise.all([
    stele(['completion']),
    stele(['--get-yargs-completions', 'stele', 'c']),
    stele(['--get-yargs-completions', 'stele', 'serve', '--']),
  ]);
  assert.match(script.stdout, /complete .*stele/);
  assert.match(verbs.stdout, /checkpoint/);
  assert.match(verbs.stdout, /consistency/);
  assert.match(options.stdout, /--listen/);
});

test('a new key is readable by its owner alone, is never overwritten, and shows its public half', async () => {
  const made = await steleHere(['key', 'generate', '--origin', 'log.example/demo', '-o', at('key')]);
  assert.deepEqual([made.status, made.stderr], [0, '']);
  assert.match(made.stdout, /^log\.example\/demo\+[0-9a-f]{8}\+[\w/+=]+\n$/);
  assert.equal(statSync(at('key')).mode % 0o1000, 0o600);
  const before = readFileSync(at('key'));
  const [shown, again] = await Promise.all([
    steleHere(['key', 'show', '--key', at('key')]),
    steleHere(['key', 'generate', '--origin', 'log.example/demo', '-o', at('key')]),
  ]);
  assert.equal(shown.stdout, made.stdout);
  assert.equal(again.status, 2);
  assert.deepEqual(readFileSync(at('key')), before);
});

test('a key that others can read is refused with what to do, unless one insists', async () => {
  writeFileSync(at('open-key'), `${log.logKey.skey}\n`);
  for (const mode of [0o640, 0o604, 0o602]) {
    chmodSync(at('open-key'), mode);
    const refused = await steleHere(['key', 'show', '--key', at('open-key')]);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /chmod 600 .*open-key/);
  }
  const insisted = await steleHere(['key', 'show', '--key', at('open-key'), '--allow-open-key']);
  assert.deepEqual([insisted.status, insisted.stdout], [0, `${log.logKey.vkey}\n`]);
});

test('a key can come from a file descriptor, and what is no key is never printed', async () => {
  writeFileSync(at('fd-key'), `${log.logKey.skey}\n`);
  writeFileSync(at('no-key'), 'PRIVATE+KEY+secret+nonsense\n', { mode: 0o600 });
  const fd3 = openSync(at('fd-key'), 'r');
  try {
    const shown = await stele(['key', 'show', '--key', 'fd:3'], { fd3 });
    assert.deepEqual([shown.status, shown.stdout], [0, `${log.logKey.vkey}\n`]);
  } finally {
    closeSync(fd3);
  }
  const refused = await stele(['key', 'show', '--key', at('no-key')]);
  assert.equal(refused.status, 2);
  assert.doesNotMatch(refused.stderr + refused.stdout, /secret/);
});
