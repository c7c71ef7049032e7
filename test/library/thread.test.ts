/** A log whose sequencer has a thread of its own is, for the program, the same as one that has not. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createLog, generateKey, isSteleError, type LogOptions, openLog, openStore } from 'stele';
import { fsck } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { openReadableStore } from '../../src/store/index.ts';

const { skey, vkey } = generateKey('log.example/thread', randomBytes(32));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-thread-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function optionsIn(folder: string): { publicStore: string; privateStore: string; key: string; thread: true } {
  const url = (name: string): string => pathToFileURL(join(folder, name)).href;
  return { publicStore: url('public'), privateStore: url('private'), key: skey, thread: true };
}

async function checkedSize({ publicStore }: { publicStore: string }): Promise<number> {
  const report = await fsck(openReadableStore(publicStore), parseVerifierKey(vkey));
  assert.deepEqual(report.problems, []);
  return report.size;
}

/** What a program sees of a log that it fills, closes, and opens again: answers, events, reports. */
async function story(options: LogOptions): Promise<unknown> {
  let committed = 0;
  const published: number[] = [];
  const events: Partial<LogOptions> = {
    onCommitted: ({ entries, bytes, latencyMs }) => {
      assert.ok(bytes > 0 && latencyMs >= 0);
      committed += entries;
    },
    onPublished: ({ checkpoint, objects, bytes, latencyMs }) => {
      assert.ok(objects > 0 && bytes > 0 && latencyMs >= 0);
      published.push(checkpoint.size);
    },
  };
  const log = await createLog({ ...options, ...events });
  const entries = Array.from({ length: 700 }, (_, i) => utf8(`entry ${i % 600}`.repeat(1 + (i % 40))));
  const answers = await Promise.all(entries.map((entry) => log.append(entry)));
  assert.equal(published.at(-1), log.published.size, 'an event comes before the answer');
  const many = await log.appendAll([entries[3] ?? utf8(''), utf8('new'), utf8('new'), utf8('')]);
  const { origin, size, root, extensions } = log.published;
  const report = await log.close();
  const again = await openLog(options);
  const reopened = { size: again.published.size, answer: await again.append(utf8('new')) };
  await again.close();
  assert.equal(committed, size);
  return { answers, many, tree: { origin, size, root, extensions }, report, reopened };
}

test('answers, events and reports are the same with a thread and without', async (t) => {
  const [with_, without] = [optionsIn(await scratch(t)), optionsIn(await scratch(t))];
  const expected = await story({ ...without, thread: false });
  assert.deepEqual(await story(with_), expected);
  assert.equal(await checkedSize(with_), await checkedSize(without));
});

test('a bucket or a folder by URL gets a thread, what cannot be handed to one is refused where it is asked for', async (t) => {
  const options = optionsIn(await scratch(t));
  const publicStore = await openStore(options.publicStore);
  t.after(() => publicStore.close());
  const clock = { now: () => 0, sleep: () => new Promise<void>(() => {}) };
  for (const wrong of [{ publicStore }, { publicStore: 'mem:thread-test' }, { clock }]) {
    await assert.rejects(createLog({ ...options, ...wrong, thread: true }), (error) => isSteleError(error, 'config'));
  }
  await using log = await createLog({ ...options, thread: true });
  assert.equal(log.published.size, 0);
});

test('what keeps the thread from opening the log is told as without one, and its lock is free again', async (t) => {
  const options = optionsIn(await scratch(t));
  await assert.rejects(openLog(options), (error) => isSteleError(error, 'config'));
  await assert.rejects(createLog({ ...options, key: 'PRIVATE+KEY+nonsense' }), (error) => isSteleError(error));
  await assert.rejects(
    createLog({ ...options, settings: { maxBatchEntries: 0 } }),
    (error) => isSteleError(error, 'config') && /maxBatchEntries/.test(error.message),
  );
  await (await createLog(options)).close();
  const log = await openLog(options);
  const refusalOf = async (thread: boolean): Promise<object> => {
    const error: unknown = await openLog({ ...options, thread }).catch((reason: unknown) => reason);
    assert.ok(isSteleError(error, 'locked') && 'holder' in error && error.holder !== undefined);
    return { ...error };
  };
  assert.deepEqual(await refusalOf(true), await refusalOf(false), 'with the holder of the lock');
  await log.close();
});

test('retries are told with their error', async (t) => {
  const folder = await scratch(t);
  const options = optionsIn(folder);
  const told: { what: string; error: Error; attempt: number }[] = [];
  const settings = { maxAttempts: 3, drainDeadlineMs: 2_000 };
  const onRetry = (what: string, error: Error, attempt: number): void => void told.push({ what, error, attempt });
  const log = await createLog({ ...options, settings, onRetry });
  await rm(join(folder, 'public'), { recursive: true });
  await rm(join(folder, 'private'), { recursive: true });
  await assert.rejects(log.append(utf8('lost')), (error) => isSteleError(error));
  await assert.rejects(log.close(), (error) => isSteleError(error));
  assert.ok(told.length > 0);
  for (const { what, error, attempt } of told) {
    assert.ok(what.length > 0 && attempt >= 1);
    assert.ok(isSteleError(error), 'with its code');
    assert.ok(error.message.length > 0);
  }
});

test('when the thread dies, everyone who waits is told, later callers too, and the lock is free (CRASH-8)', async (t) => {
  const folder = await scratch(t);
  const options = optionsIn(folder);
  await (await createLog(options)).close();
  // As instrumentation is, this is loaded into the thread; there it ends it in the middle of its work.
  const [bomb, fuse] = [join(folder, 'bomb.mjs'), join(folder, 'fuse')];
  await writeFile(
    bomb,
    `import { existsSync } from 'node:fs';
     import { isMainThread } from 'node:worker_threads';
     if (!isMainThread) setInterval(() => existsSync(${JSON.stringify(fuse)}) && process.exit(3), 20);`,
  );
  const { NODE_OPTIONS = '' } = process.env;
  process.env['NODE_OPTIONS'] = `${NODE_OPTIONS} --import=${pathToFileURL(bomb).href}`;
  const log = await openLog({ ...options, settings: { publishIntervalMs: 60_000 } });
  process.env['NODE_OPTIONS'] = NODE_OPTIONS;
  await log.append(utf8('answered')); // the first publication waits for nothing, the next for the interval
  const waiting = log.append(utf8('unanswered'));
  await writeFile(fuse, '');
  await assert.rejects(waiting, (error) => isSteleError(error, 'aborted') && /thread/.test(error.message));
  await assert.rejects(log.append(utf8('later')), (error) => isSteleError(error, 'aborted'));
  await assert.rejects(log.close(), /thread/);
  await using again = await openLog(options);
  assert.deepEqual(await again.append(utf8('answered')), { index: 0, duplicate: true });
});

/** Until it resolves; what would last for ever is an error. */
function soon<T>(promise: Promise<T>): Promise<T> {
  return Promise.race([promise, pause(20_000, undefined, { ref: false }).then(() => assert.fail('it does not end'))]);
}

test('a log closes while somebody goes on appending, with everything answered that it took (LOAD-3)', async (t) => {
  const options = optionsIn(await scratch(t));
  const log = await createLog(options);
  const outcomes = { answered: 0, refused: 0 };
  let appending = true;
  const append = (): void => {
    if (!appending) return;
    log.append(utf8(`${Math.random()}`)).then(
      () => outcomes.answered++,
      () => outcomes.refused++,
    );
    setImmediate(append);
  };
  append();
  await pause(200);
  const { size } = await soon(log.close());
  appending = false;
  assert.equal(size, outcomes.answered);
  assert.equal(await checkedSize(options), size);
});

test('what keeps entries from being handed over ends the log, and it can be closed', async (t) => {
  const options = optionsIn(await scratch(t));
  const log = await createLog(options);
  const grown = new Uint8Array(new ArrayBuffer(10, { maxByteLength: 70_000 }));
  const waiting = log.append(grown);
  (grown.buffer as ArrayBuffer).resize(70_000);
  await assert.rejects(soon(waiting), (error) => isSteleError(error, 'limit'));
  await assert.rejects(soon(log.close()), (error) => isSteleError(error, 'limit'));
  await (await openLog(options)).close();
});

test('a handler of events that throws ends the log, as it does without a thread', async (t) => {
  for (const thread of [true, false]) {
    const onCommitted = (): void => {
      throw new Error('planted');
    };
    const log = await createLog({ ...optionsIn(await scratch(t)), thread, onCommitted });
    await assert.rejects(soon(log.append(utf8('x'))), (error) => isSteleError(error, 'aborted'));
    await assert.rejects(soon(log.close()), /planted/);
  }
});

test('nothing that is loaded into the thread keeps the log from closing, or its opening from failing', async (t) => {
  const folder = await scratch(t);
  const options = optionsIn(folder);
  const lively = join(folder, 'lively.mjs');
  await writeFile(
    lively,
    `import { isMainThread } from 'node:worker_threads';
     if (!isMainThread) { setInterval(() => {}, 1_000); console.log('x'.repeat(200_000)); }`,
  );
  const { NODE_OPTIONS = '' } = process.env;
  process.env['NODE_OPTIONS'] = `${NODE_OPTIONS} --import=${pathToFileURL(lively).href}`;
  try {
    await assert.rejects(soon(openLog(options)), (error) => isSteleError(error, 'config'));
    const log = await createLog(options);
    await soon(log.append(utf8('x')));
    assert.equal((await soon(log.close())).size, 1);
  } finally {
    process.env['NODE_OPTIONS'] = NODE_OPTIONS;
  }
});

/** Runs a program with a log in a process of its own, in which nothing else is going on; what it printed. */
async function runProgram(options: LogOptions, body: string): Promise<string> {
  const program = `
    import { createLog } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)};
    const log = await createLog(${JSON.stringify(options)});
    const entry = (text) => new TextEncoder().encode(text);
    ${body}`;
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 30_000,
  });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  const [code, signal] = await once(child, 'close');
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  return printed;
}

test('a log that is not closed keeps no process alive, and loses nothing that was answered', async (t) => {
  const options = optionsIn(await scratch(t));
  const printed = await runProgram(
    options,
    "const { index } = await log.append(entry('kept')); process.stdout.write('answered ' + index);",
  );
  assert.equal(printed, 'answered 0');
  assert.equal(await checkedSize(options), 1);
});

test('a process lives as long as somebody waits for an answer or for the end of the log', async (t) => {
  const options = { ...optionsIn(await scratch(t)), settings: { publishIntervalMs: 700 } };
  const printed = await runProgram(
    options,
    `for (const text of ['one', 'two', 'three']) process.stdout.write((await log.append(entry(text))).index + ' ');
     await log.append(entry('four'));
     const last = log.append(entry('five'));
     const { size } = await log.close();
     process.stdout.write('closed at ' + size + ' with ' + (await last).index);`,
  );
  assert.equal(printed, '0 1 2 closed at 5 with 4');
});

test('a program writes to its output as it did without a log: to a pipe that is full it waits', async (t) => {
  const options = optionsIn(await scratch(t));
  const printed = await runProgram(
    options,
    `const { writeSync } = await import('node:fs');
     for (let i = 0; i < 100; i++) writeSync(1, 'x'.repeat(10_000));
     await log.close();`,
  );
  assert.equal(printed.length, 1_000_000);
});
