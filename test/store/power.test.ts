import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { metaFor, type NewObject, type ObjectStore, openDirectory } from '../../src/store/index.ts';
import { type Call, ModelFs, PowerCut } from './model-fs.ts';

const ROOT = '/srv/store';

function object(key: string, text: string): NewObject {
  return { key, bytes: new TextEncoder().encode(text), meta: metaFor(key) };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A root that has been there for long, with one object. */
function machine(): ModelFs {
  const fs = new ModelFs();
  fs.plant(`${ROOT}/log.json`, '{}', { name: true, content: true });
  return fs;
}

async function textOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const found = await store.get(key);
  return found && new TextDecoder().decode(found.bytes);
}

/** Lets everything under way that is not held back come to its end. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A small generator of which a failing run tells the seed (Park and Miller's). */
function coin(seed: number): () => boolean {
  let state = seed + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state % 2 === 0;
  };
}

const SURVIVALS: { name: string; keep: () => () => boolean }[] = [
  { name: 'nothing', keep: () => () => false },
  { name: 'everything', keep: () => () => true },
  ...[1, 2, 3, 4, 5, 6].map((seed) => ({ name: `seed ${seed}`, keep: () => coin(seed) })),
];

/** What a log does to its stores in three rounds; `promise` says what a step will have changed once it is done. */
interface Step {
  readonly changes: ReadonlyMap<string, string | undefined>;
  run(store: ObjectStore): Promise<unknown>;
}

function step(changes: Record<string, string | undefined>, run: (store: ObjectStore) => Promise<unknown>): Step {
  return { changes: new Map(Object.entries(changes)), run };
}

const META = metaFor('checkpoint');

async function swap(store: ObjectStore, text: string): Promise<void> {
  const current = await store.get('checkpoint');
  await store.replace('checkpoint', bytes(text), META, current?.etag ?? null);
}

const STEPS: Step[] = [
  step({ checkpoint: 'size 0' }, (store) => swap(store, 'size 0')),
  step({ 'journal/0000': 'record 0' }, (store) => store.create('journal/0000', bytes('record 0'), META)),
  step({ 'tile/0/000.p/3': 'tile', 'tile/entries/000.p/3': 'bundle' }, (store) =>
    store.createAll([object('tile/0/000.p/3', 'tile'), object('tile/entries/000.p/3', 'bundle')]),
  ),
  step({ checkpoint: 'size 3' }, (store) => swap(store, 'size 3')),
  step({ 'journal/0003': 'record 3' }, async (store) => {
    const staged = await store.stage('journal/0003', [bytes('record '), bytes('3')], META);
    await staged.create();
  }),
  step({ 'tile/0/000': 'full', 'tile/1/000.p/1': 'up', 'tile/0/x001/001': 'x', 'tile/entries/000': 'b' }, (store) =>
    store.createAll([
      object('tile/0/000', 'full'),
      object('tile/1/000.p/1', 'up'),
      object('tile/0/x001/001', 'x'),
      object('tile/entries/000', 'b'),
    ]),
  ),
  step({ checkpoint: 'size 256' }, (store) => swap(store, 'size 256')),
  step({ 'journal/0000': undefined }, (store) => store.delete('journal/0000')),
  step({ 'tile/0/000.p/3': undefined }, (store) => store.delete('tile/0/000.p/3')),
];

/** Runs the steps until the power is cut; returns what must be there, and what the last step may have changed. */
async function runUntilCut(fs: ModelFs) {
  const done = new Map<string, string | undefined>();
  let open: Step['changes'] = new Map();
  let cut = false;
  try {
    const store = await openDirectory(ROOT, { fs });
    for (const { changes, run } of STEPS) {
      open = changes;
      await run(store);
      for (const [key, text] of changes) {
        done.set(key, text);
      }
      open = new Map();
    }
  } catch (error) {
    const cause = isSteleError(error) ? error.cause : error;
    assert.ok(cause instanceof PowerCut, `${error}`);
    cut = true;
  }
  return { done, open, cut };
}

test('whatever was answered survives a power cut after any call, and nothing torn is found (POWER-1, POWER-2)', async () => {
  const whole = machine();
  await runUntilCut(whole);
  const total = whole.calls.length;
  assert.ok(total > 60, `only ${total} calls`);
  for (let calls = 0; calls <= total; calls++) {
    const fs = machine();
    fs.powerUntil = calls;
    const { done, open, cut } = await runUntilCut(fs);
    assert.equal(cut, calls < total);
    for (const survival of SURVIVALS) {
      const where = `${survival.name} kept after ${calls} calls`;
      const back = fs.afterPowerCut(survival.keep());
      const store = await openDirectory(ROOT, { fs: back });
      for (const key of new Set([...done.keys(), ...open.keys()])) {
        const found = await textOf(store, key);
        const allowed = open.has(key) ? [done.get(key), open.get(key)] : [done.get(key)];
        assert.ok(allowed.includes(found), `${where}: ${key} is ${found}, not one of ${allowed}`);
      }
      for await (const { key } of store.list('')) {
        assert.ok(key === 'log.json' || done.has(key) || open.has(key), `${where}: ${key} is nobody's`);
      }
    }
  }
});

test('a writer that goes on after a power cut, at any call, gets everything in place (POWER-1)', async () => {
  const whole = machine();
  await runUntilCut(whole);
  for (let calls = 0; calls <= whole.calls.length; calls += 3) {
    const fs = machine();
    fs.powerUntil = calls;
    await runUntilCut(fs);
    const back = fs.afterPowerCut(coin(calls));
    const { done } = await runUntilCut(back);
    const again = back.afterPowerCut(() => false);
    const store = await openDirectory(ROOT, { fs: again });
    for (const [key, text] of done) {
      assert.equal(await textOf(store, key), text, `${key} after ${calls} calls`);
    }
  }
});

test('a folder whose parent an earlier process never flushed is made durable before it is relied upon (POWER-3)', async () => {
  const fs = machine();
  fs.plant(`${ROOT}/tile/0/000`, 'old', { name: false, content: true });
  const store = await openDirectory(ROOT, { fs });
  await store.createAll([object('tile/0/001', 'new')]);
  const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
  assert.equal(await textOf(back, 'tile/0/001'), 'new');
});

test('what a process left unflushed when it was killed is durable once the next writer has read it (POWER-3)', async () => {
  const fs = machine();
  fs.plant(`${ROOT}/journal/0000`, 'record', { name: false, content: true });
  const store = await openDirectory(ROOT, { fs });
  assert.equal(await textOf(store, 'journal/0000'), 'record');
  const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
  assert.equal(await textOf(back, 'journal/0000'), 'record');
});

test('what makes a create lose is durable by then (POWER-3)', async () => {
  const fs = machine();
  fs.plant(`${ROOT}/journal/0000`, 'theirs', { name: false, content: true });
  const store = await openDirectory(ROOT, { fs });
  assert.equal(await store.create('journal/0000', bytes('ours'), META), false);
  const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
  assert.equal(await textOf(back, 'journal/0000'), 'theirs');
});

test('an object is not answered while its name is visible but not flushed', async () => {
  const fs = machine();
  const store = await openDirectory(ROOT, { fs });
  await store.create('journal/0000', bytes('first'), META);
  const flushed = Promise.withResolvers<void>();
  fs.before = ({ name }) => (name === 'flushFolder' ? flushed.promise : undefined);
  const creating = store.create('journal/0001', bytes('second'), META);
  let answered = false;
  const get = async () => {
    while ((await store.get('journal/0001')) === undefined);
    answered = true;
  };
  const getting = get();
  await turns(100);
  assert.ok(fs.files(ROOT).has('journal/0001'));
  assert.equal(answered, false);
  flushed.resolve();
  await Promise.all([creating, getting]);
});

test('a flush from before a name was made does not count for it', async () => {
  const fs = machine();
  const store = await openDirectory(ROOT, { fs });
  await store.create('journal/0000', bytes('first'), META);
  const toLink = Promise.withResolvers<void>();
  const toReturn = Promise.withResolvers<void>();
  const isIt = ({ name, path }: Call) => name === 'link' && path.endsWith('0001');
  fs.before = (call) => (isIt(call) ? toLink.promise : undefined);
  fs.after = (call) => (isIt(call) ? toReturn.promise : undefined);
  const creating = store.create('journal/0001', bytes('second'), META);
  await turns(50);
  // This flushes the folder while the link of the other waits for a thread.
  await store.create('journal/0002', bytes('third'), META);
  toLink.resolve();
  await turns(10);
  assert.equal(await textOf(store, 'journal/0001'), 'second');
  const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
  assert.equal(await textOf(back, 'journal/0001'), 'second');
  toReturn.resolve();
  await creating;
});

test('a failed flush of a file is not tried again on the same file: a fresh one is written (POWER-4)', async () => {
  const fs = machine();
  const store = await openDirectory(ROOT, { fs });
  let failures = 1;
  fs.fault = ({ name }) => (name === 'flushFile' && failures-- > 0 ? 'EIO' : undefined);
  await assert.rejects(
    store.create('journal/0000', bytes('record'), META),
    (error) => isSteleError(error, 'unreachable') && /journal\/0000.*EIO/.test(error.message),
  );
  assert.equal(await textOf(store, 'journal/0000'), undefined);
  assert.equal(await store.create('journal/0000', bytes('record'), META), true);
  const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
  assert.equal(await textOf(back, 'journal/0000'), 'record');
});

test('after a failed flush of a folder its names are written anew before they are believed (POWER-4)', async () => {
  for (const then of ['get', 'create', 'createAll', 'create another', 'delete another'] as const) {
    const fs = machine();
    const store = await openDirectory(ROOT, { fs });
    await store.create('journal/0000', bytes('first'), META);
    let failures = 1;
    fs.fault = ({ name, path }) =>
      name === 'flushFolder' && path.endsWith('/journal') && failures-- > 0 ? 'EIO' : undefined;
    await assert.rejects(
      store.create('journal/0001', bytes('second'), META),
      (error) => isSteleError(error, 'outcome-unknown'),
      then,
    );
    switch (then) {
      case 'get':
        assert.equal(await textOf(store, 'journal/0001'), 'second');
        break;
      case 'create':
        assert.equal(await store.create('journal/0001', bytes('second'), META), false);
        break;
      case 'createAll':
        await store.createAll([object('journal/0001', 'second')]);
        break;
      case 'create another':
        assert.equal(await store.create('journal/0002', bytes('third'), META), true);
        break;
      case 'delete another':
        await store.delete('journal/0000');
        break;
    }
    const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
    assert.equal(await textOf(back, 'journal/0001'), 'second', then);
  }
});

test('while flushes go on failing, nothing is answered that a power cut would take back (POWER-4)', async () => {
  const fs = machine();
  const store = await openDirectory(ROOT, { fs });
  await store.create('checkpoint', bytes('size 0'), META);
  const { etag } = (await store.get('checkpoint')) ?? {};
  assert.ok(etag !== undefined);
  fs.fault = ({ name }) => (name === 'flushFolder' ? 'EIO' : undefined);
  const isUnknown = (error: unknown) => isSteleError(error, 'outcome-unknown');
  const isUnreachable = (error: unknown) => isSteleError(error, 'unreachable') && error.message.includes('EIO');
  await assert.rejects(store.replace('checkpoint', bytes('size 1'), META, etag), isUnknown);
  await assert.rejects(store.get('checkpoint'), isUnreachable);
  await assert.rejects(store.create('other', bytes('x'), META), isUnreachable);
  await assert.rejects(store.replace('checkpoint', bytes('size 2'), META, etag), isUnreachable);
  fs.fault = () => undefined;
  assert.equal(await textOf(store, 'checkpoint'), 'size 1');
  const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
  assert.equal(await textOf(back, 'checkpoint'), 'size 1');
});

test('an object that is there with equal bytes, never flushed, is durable when createAll returns (POWER-5)', async () => {
  const fs = machine();
  fs.plant(`${ROOT}/tile/0/000`, 'tile', { name: false, content: false });
  const store = await openDirectory(ROOT, { fs });
  await store.createAll([object('tile/0/000', 'tile')]);
  const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
  assert.equal(await textOf(back, 'tile/0/000'), 'tile');
});

test('an object whose name survived a power cut and whose content did not is detected, and named (POWER-2)', async () => {
  for (const text of ['\0\0\0\0', '', 'til']) {
    const fs = machine();
    fs.plant(`${ROOT}/tile/0/000`, text, { name: true, content: true });
    const store = await openDirectory(ROOT, { fs });
    await assert.rejects(
      store.createAll([object('tile/0/000', 'tile')]),
      (error) => isSteleError(error, 'conflict') && error.message.includes(`${ROOT}/tile/0/000`),
    );
  }
});

test('content is flushed before its name exists, and the name before the answer (POWER-6)', async () => {
  const fs = machine();
  const store = await openDirectory(ROOT, { fs });
  fs.calls.length = 0;
  await store.create('journal/0000', bytes('record'), META);
  await store.createAll([object('tile/0/000', 'tile'), object('tile/0/001', 'tile')]);
  const names = fs.calls.map(({ name, path }) => `${name} ${path.slice(ROOT.length)}`);
  const order = (before: RegExp, after: RegExp) => {
    const last = names.findLastIndex((call) => before.test(call));
    const first = names.findIndex((call, i) => i > last && after.test(call));
    assert.ok(last >= 0 && first > last, `${before} is not followed by ${after}:\n${names.join('\n')}`);
  };
  order(/^link \/journal/, /^flushFolder \/journal/);
  order(/^link \/tile\/0\//, /^flushFolder \/tile\/0$/);
  const flushed = names.filter((call) => call.startsWith('flushFile'));
  assert.equal(flushed.length, 3);
  assert.ok(names.indexOf(flushed[0] ?? '') < names.findIndex((call) => call.startsWith('link')));
  // Each file is flushed before it is linked, so at any point no more files are linked than flushed.
  let balance = 0;
  for (const call of names) {
    balance += call.startsWith('flushFile') ? 1 : call.startsWith('link') ? -1 : 0;
    assert.ok(balance >= 0);
  }
});
