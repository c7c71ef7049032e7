import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { fsck, LogReader } from '../../src/client/index.ts';
import { systemClock } from '../../src/clock.ts';
import { createLog, type Log } from '../../src/index.ts';
import { generateKey, parseVerifierKey, type SignedCheckpoint } from '../../src/note/index.ts';
import { collectPartials } from '../../src/sequencer/index.ts';
import { openReadableStore, openStore } from '../../src/store/index.ts';
import { realPrograms, runProgram } from './real-programs.ts';

/** Tessera's fsck checks 100,000 entries in under a second; on a corrupt log it may hang. */
const FSCK_LIMIT_MS = 60_000;
const ONESHOT_LIMIT_MS = 60_000;

/** Of Tessera's messages on a corrupt log only the beginning is fit for print: whole tiles follow in hex. */
const MESSAGE_CHARACTERS = 2_000;

async function freshFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-interop-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Entry `i` of a log whose entries are distinct, of 8 to 207 bytes, now and then of the largest size. */
function madeEntry(i: number): Uint8Array {
  const entry = new Uint8Array(i % 20_011 === 20_010 ? 65_535 : 8 + (i % 200)).fill(i % 251);
  new DataView(entry.buffer).setBigUint64(0, BigInt(i));
  return entry;
}

/** Appends the entries from the log's size up to `size`, in submissions of uneven lengths, some waited for. */
async function grow(log: Log, size: number): Promise<void> {
  let waiting: Promise<unknown>[] = [];
  for (let from = log.published.size, turn = 1; from < size; turn++) {
    const to = Math.min(size, from + ((turn * 977) % 3_001) + 1);
    waiting.push(log.appendAll(Array.from({ length: to - from }, (_, i) => madeEntry(from + i))));
    from = to;
    if (turn % 5 === 0 || from === size) {
      await Promise.all(waiting);
      waiting = [];
    }
  }
}

/** The root that Tessera's fsck found. It exits 0 even when a log is corrupt: only its words count. */
async function tesseraFsck(program: string, folder: string, vkey: string): Promise<{ size: number; root: string }> {
  const keyFile = `${folder}.vkey`;
  await writeFile(keyFile, vkey);
  const url = `${pathToFileURL(folder).href}/`;
  const args = [`--storage_url=${url}`, `--public_key=${keyFile}`, '--ui=false', '--N=4'];
  const { stderr } = await runProgram(program, args, FSCK_LIMIT_MS);
  const found = /Successfully fsck'd log with size (\d+) and root \S+ \(([0-9a-f]{64})\)/.exec(stderr);
  assert.ok(found, `Tessera's fsck did not accept the log: ${stderr.slice(0, MESSAGE_CHARACTERS)}`);
  return { size: Number(found[1]), root: found[2] ?? '' };
}

function whatIsSigned({ size, root }: SignedCheckpoint): { size: number; root: string } {
  return { size, root: Buffer.from(root).toString('hex') };
}

test("Tessera's fsck accepts a log of 100,000 entries that Stele built, at sizes on its way, and without its superseded partials", async (t) => {
  const programs = realPrograms(t, 'fsck');
  if (programs === undefined) {
    return;
  }
  const folder = await freshFolder(t);
  const { skey, vkey } = generateKey('interop.example/log', randomBytes(32));
  const publicFolder = join(folder, 'public');
  const publicUrl = pathToFileURL(publicFolder).href;
  const privateUrl = pathToFileURL(join(folder, 'private')).href;
  await mkdir(publicFolder);
  await mkdir(join(folder, 'private'));
  const log = await createLog({ publicStore: publicUrl, privateStore: privateUrl, key: skey });
  try {
    for (const size of [1, 255, 256, 257, 65_536, 100_000]) {
      await grow(log, size);
      assert.equal(log.published.size, size);
      assert.deepEqual(await tesseraFsck(programs.fsck, publicFolder, vkey), whatIsSigned(log.published));
    }
  } finally {
    await log.close();
  }

  const publicStore = await openStore(publicUrl);
  t.after(() => publicStore.close());
  const verifier = parseVerifierKey(vkey);
  const { deleted } = await collectPartials({ publicStore, verifier, clock: systemClock, graceMs: 0 });
  assert.ok(deleted > 0, 'the log was published at sizes between full tiles, so there were partials to collect');
  assert.equal((await tesseraFsck(programs.fsck, publicFolder, vkey)).size, 100_000);

  const bundle = join(publicFolder, 'tile', 'entries', '200');
  const bytes = await readFile(bundle);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await rm(bundle);
  await writeFile(bundle, bytes);
  await assert.rejects(tesseraFsck(programs.fsck, publicFolder, vkey), /did not accept/);
});

test('a log that posix-oneshot wrote and grew passes our fsck, and each of its checkpoints extends the one before', async (t) => {
  const programs = realPrograms(t, 'fsck', 'posix-oneshot');
  if (programs === undefined) {
    return;
  }
  const folder = await freshFolder(t);
  const { skey, vkey } = generateKey('interop.example/oneshot', randomBytes(32));
  const keyFile = join(folder, 'key');
  await writeFile(keyFile, skey);
  const logFolder = join(folder, 'log');
  await mkdir(logFolder);
  const verifier = parseVerifierKey(vkey);
  const store = openReadableStore(pathToFileURL(logFolder).href);

  let known: SignedCheckpoint | undefined;
  let size = 0;
  for (const [round, count] of [3, 253, 1, 600].entries()) {
    const input = join(folder, `entries-${round}`);
    await mkdir(input);
    for (let i = 0; i < count; i++) {
      await writeFile(join(input, String(i).padStart(4, '0')), madeEntry(size + i));
    }
    const args = [`--storage_dir=${logFolder}`, `--entries=${join(input, '*')}`, `--private_key=${keyFile}`];
    const { status, stderr } = await runProgram(programs['posix-oneshot'], args, ONESHOT_LIMIT_MS);
    assert.equal(status, 0, stderr.slice(0, MESSAGE_CHARACTERS));
    size += count;

    const report = await fsck(store, verifier, known === undefined ? {} : { known });
    assert.deepEqual(report.problems, []);
    assert.equal(report.size, size);
    assert.equal(report.entries, size);
    known = await new LogReader(store, verifier).checkpoint();
  }

  const reader = new LogReader(store, verifier);
  const checkpoint = await reader.checkpoint();
  assert.deepEqual(await reader.entry(size - 1, checkpoint), madeEntry(size - 1));

  const tile = join(logFolder, 'tile', '0', '001');
  await copyFile(join(logFolder, 'tile', '0', '000'), tile);
  const { problems } = await fsck(store, verifier);
  assert.ok(
    problems.some(({ key }) => key === 'tile/0/001'),
    'a tile in the place of another one is named',
  );
});
