/** Every example runs as its first comment says. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { LogReader, parseVerifierKey } from '../../src/reader.ts';
import { serveLog } from '../../src/server/index.ts';
import { openReadableStore } from '../../src/store/index.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const example = (name: string, ...args: string[]) =>
  run(process.execPath, ['--conditions=source', join(ROOT, 'examples', name), ...args], { cwd: ROOT, timeout: 60_000 });

async function fresh(t: test.TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-examples-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('append.ts makes a log; follow.ts reads it over HTTP; verify-proof.ts checks a proof of it, and refuses another entry', async (t) => {
  const folder = await fresh(t);
  const appended = await example('append.ts', folder);
  assert.match(appended.stdout, /published: 3 entries/);
  const vkey = /--vkey (\S+)/.exec(appended.stdout)?.[1] ?? '';

  const store = openReadableStore(pathToFileURL(join(folder, 'public')).href);
  const listen = { host: '127.0.0.1', port: 0 };
  const server = await serveLog({ store, listen, public: false, onError: assert.ifError });
  t.after(() => server.close());
  const followed = await example('follow.ts', server.url, vkey, '3');
  assert.match(followed.stdout, /0 → 3[\s\S]*0: hello[\s\S]*1: one[\s\S]*2: two/);

  const reader = new LogReader(store, parseVerifierKey(vkey));
  const proof = join(folder, 'proof');
  await writeFile(proof, await reader.prove(1, await reader.checkpoint()));
  await writeFile(join(folder, 'good'), 'one');
  await writeFile(join(folder, 'bad'), 'two');
  assert.match(
    (await example('verify-proof.ts', vkey, proof, join(folder, 'good'))).stdout,
    /entry 1 of log\.example\/append/,
  );
  await assert.rejects(example('verify-proof.ts', vkey, proof, join(folder, 'bad')), { code: 1 });
});

test('the quickstart proves a package of this lockfile and refuses a tampered one, and does so again on a second run', async () => {
  for (let round = 0; round < 2; round++) {
    const { status, output } = await quickstart();
    assert.equal(status, 0, output);
    assert.match(output, /verified: entry \d+ of quickstart\.example\/packages/);
    assert.match(output, /does not verify/);
    assert.match(output, /It works/);
  }
});

async function quickstart(): Promise<{ status: number | null; output: string }> {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: { quickstart: string };
  };
  const [, ...args] = scripts.quickstart.split(' ');
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, output };
}
