/** kill -9 under load: nothing acknowledged is lost, and the log goes on growing (CRASH-4, RACE-11). */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createLog, generateKey, openLog } from 'stele';
import { fsck, LogReader } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { openReadableStore } from '../../src/store/index.ts';

const KILLS = 50;
const APPENDER = fileURLToPath(new URL('appender.ts', import.meta.url));
const { skey, vkey } = generateKey('log.example/killed', createHash('sha256').update('kill').digest());
const seed = Number(process.env['STELE_SEED'] ?? Date.now() % 1_000_000);

/** Numbers in [0, 1), the same for the same seed. */
function randomFrom(state: number): () => number {
  let x = state;
  return () => {
    x = (x * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return x / 2 ** 32;
  };
}

test(`${KILLS} kills at random moments under load lose nothing acknowledged (CRASH-4); seed ${seed}`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-kill-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = (name: string): string => pathToFileURL(join(folder, name)).href;
  const options = { publicStore: url('public'), privateStore: url('private'), key: skey };
  await (await createLog(options)).close();

  const random = randomFrom(seed);
  const acknowledged = new Map<number, string>();
  for (let run = 0; run < KILLS; run++) {
    for (const [index, entry] of await appendUntilKilled(folder, run, 5 + random() * 250)) {
      assert.ok(!acknowledged.has(index), `index ${index} is given out once`);
      acknowledged.set(index, entry);
    }
  }
  assert.ok(acknowledged.size > KILLS, `${acknowledged.size} entries were acknowledged`);

  const log = await openLog(options);
  const { index } = await log.append(new TextEncoder().encode('after all of it'));
  await log.close();
  const store = openReadableStore(options.publicStore);
  const report = await fsck(store, parseVerifierKey(vkey));
  assert.deepEqual(report.problems, []);
  assert.equal(report.size, index + 1);

  const reader = new LogReader(store, parseVerifierKey(vkey));
  const checkpoint = await reader.checkpoint();
  const seen = new Set<string>();
  for await (const { index: at, entry } of reader.entries(0, checkpoint.size, checkpoint)) {
    const text = new TextDecoder().decode(entry);
    assert.ok(!seen.has(text), `${text} is logged once`);
    seen.add(text);
    if (acknowledged.has(at)) assert.equal(text, acknowledged.get(at));
  }
  t.diagnostic(`${KILLS} kills, ${acknowledged.size} acknowledged, ${checkpoint.size} in the log, 0 lost`);
});

/** Runs an appender, kills it `afterMs` after it opened the log, and gives what it acknowledged. */
function appendUntilKilled(folder: string, run: number, afterMs: number): Promise<Map<number, string>> {
  const child = spawn(process.execPath, ['--conditions=source', APPENDER, folder, String(run), skey], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let errors = '';
  let opened = false;
  child.stderr.on('data', (chunk) => (errors += chunk));
  child.stdout.on('data', (chunk) => {
    out += chunk;
    if (!opened && out.startsWith('open\n')) {
      opened = true;
      setTimeout(() => child.kill('SIGKILL'), afterMs);
    }
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (signal !== 'SIGKILL')
        return reject(new Error(`the appender ended by itself (${status ?? signal}): ${errors}`));
      // The last line may be torn; every whole one is an acknowledgement that somebody may have acted on.
      const lines = out.split('\n').slice(1, -1);
      resolve(new Map(lines.map((line) => [Number.parseInt(line, 10), line.slice(line.indexOf(' ') + 1)])));
    });
  });
}
