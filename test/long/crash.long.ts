/**
 * A real process killed before and after every storage operation, of its start and of its rounds (CRASH-1, CRASH-3): each
 * run takes over what the killed one left, and is killed itself.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createLog, generateKey } from 'stele';
import { fsck, LogReader } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { ensureBucket, openReadableStore } from '../../src/store/index.ts';
import { realPrograms, runProgram } from '../interop/real-programs.ts';
import { MINIO_CREDENTIALS, setEnvironment, startMinio } from '../interop/servers.ts';

const CHILD = join(import.meta.dirname, 'crash-child.ts');
const LIMIT_MS = 60_000;
/** A start and three rounds take some thirty operations; one that needs more than this does not end. */
const MOST_OPERATIONS = 100;
/** So many are killed in a row before one is left alone. */
const DEPTH = 5;
const NEVER = Number.MAX_SAFE_INTEGER;
const { skey, vkey } = generateKey('log.example/crash', createHash('sha256').update('crash').digest());
const verifier = parseVerifierKey(vkey);

async function freshFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-crash-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function killEverywhere(t: TestContext, publicUrl: string, privateUrl: string): Promise<void> {
  const log = await createLog({ publicStore: publicUrl, privateStore: privateUrl, key: skey });
  const texts = Array.from({ length: 250 }, (_, i) => `first ${i}`);
  await log.appendAll(texts.map((text) => new TextEncoder().encode(text)));
  await log.close();
  const acknowledged = new Map(texts.map((text, i) => [text, i]));
  const store = openReadableStore(publicUrl);
  let kills = 0;
  let run = 0;
  let size = 250;
  const live = async (number: number, when: string): Promise<boolean> => {
    const args = ['--conditions=source', CHILD, publicUrl, privateUrl, skey, String(run++), String(number), when];
    const { status, stdout, stderr } = await runProgram(process.execPath, args, LIMIT_MS);
    const done = stdout.endsWith('done\n');
    assert.equal(status, done ? 0 : null, `killed ${when} operation ${number}: ${stderr}`);
    kills += done ? 0 : 1;
    for (const [, index, text] of stdout.matchAll(/^(\d+) (.*)$/gm)) {
      assert.ok(text !== undefined && !acknowledged.has(text), `${text} is acknowledged once`);
      acknowledged.set(text, Number(index));
    }
    const report = await fsck(store, verifier);
    assert.deepEqual(report.problems, [], `after being killed ${when} operation ${number}`);
    assert.ok(report.size >= size, 'the published size never shrinks');
    size = report.size;
    return done;
  };
  for (const when of ['before', 'after']) {
    for (let k = 0, done = false; !done; k++) {
      assert.ok(k < MOST_OPERATIONS, 'a run ends');
      done = await live(k, when);
      // Runs that each commit one record more and die just before they publish would go on like that for ever.
      if (k % DEPTH === DEPTH - 1) assert.ok(await live(NEVER, when), 'left alone, it recovers');
    }
  }
  const reader = new LogReader(store, verifier);
  const latest = await reader.checkpoint();
  const places = new Map<string, number>();
  for await (const { index, entry } of reader.entries(0, latest.size, latest)) {
    const text = new TextDecoder().decode(entry);
    assert.ok(!places.has(text), `${text} is logged once`);
    places.set(text, index);
  }
  for (const [text, index] of acknowledged) assert.equal(places.get(text), index, text);
  t.diagnostic(`${kills} kills, ${acknowledged.size} acknowledged, ${latest.size} in the log, 0 lost`);
  assert.ok(kills >= 30, `${kills} kills`);
}

test('killed before and after every storage operation, on a directory (CRASH-1, CRASH-3)', async (t) => {
  const folder = await freshFolder(t);
  await killEverywhere(t, pathToFileURL(join(folder, 'public')).href, pathToFileURL(join(folder, 'private')).href);
});

test('killed before and after every storage operation, on MinIO (CRASH-1, CRASH-3)', async (t) => {
  const programs = realPrograms(t, 'minio');
  if (programs === undefined) return;
  setEnvironment(t, MINIO_CREDENTIALS);
  await using server = await startMinio(programs.minio, await freshFolder(t));
  const base = `minio://${new URL(server.url).host}`;
  for (const bucket of ['public', 'private']) await ensureBucket(`${base}/${bucket}/log`);
  await killEverywhere(t, `${base}/public/log`, `${base}/private/log`);
});
