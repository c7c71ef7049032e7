import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { type QueueItem, submitToSpool } from '../../src/queue/index.ts';
import { entriesOf as entriesIn } from '../../src/tiles/index.ts';
import { answersFor, MIB, receiveAll, textOf } from './queue-fixture.ts';
import { namesIn, spoolFor, spoolPath, startSubmitter } from './spool-fixture.ts';

/** `name`, `call` and place of each entry that a submitter of the tests wrote. */
function parse(item: QueueItem): { name: string; call: number }[] {
  return entriesIn(item.entries).map((entry, place) => {
    const [name = '', call, at] = textOf(entry.subarray(0, 40)).split(' ');
    assert.equal(Number(at), place, 'the entries of an item are in order');
    return { name, call: Number(call) };
  });
}

test('of eight processes that submit at once nothing is lost, doubled, or out of order', async (t) => {
  const [processes, calls] = [8, 25];
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const submitters = Array.from({ length: processes }, (_, i) => startSubmitter(dir, `p${i}`, calls));
  const allEnded = Promise.all(submitters.map(({ ended }) => ended));
  let running = true;
  allEnded.then(() => {
    running = false;
  });

  const seen = new Map<string, number[]>();
  let answered = 0;
  for (;;) {
    const wasRunning = running;
    const items = await queue.receive(MIB);
    for (const [first] of items.map(parse)) {
      assert.ok(first);
      seen.set(first.name, [...(seen.get(first.name) ?? []), first.call]);
    }
    await queue.answer(answersFor(items, answered));
    answered += items.length;
    if (items.length > 0) continue;
    if (!wasRunning) break;
    await queue.wait(AbortSignal.timeout(200));
  }

  assert.deepEqual(
    (await allEnded).map(({ code }) => code),
    new Array(processes).fill(0),
  );
  const inOrder = Array.from({ length: calls }, (_, call) => call);
  for (let i = 0; i < processes; i++) assert.deepEqual(seen.get(`p${i}`), inOrder);
  assert.equal(answered, processes * calls);
  assert.deepEqual(await namesIn(dir, 'new'), []);
  assert.deepEqual(await namesIn(dir, 'tmp'), []);
  assert.deepEqual(await namesIn(dir, 'bad'), []);
  assert.equal((await namesIn(dir, 'done')).length, answered);
});

test('a submitter killed at any moment leaves no torn item, and all that was acknowledged (CRASH-2)', async (t) => {
  const dir = await spoolPath(t);
  const acknowledged = new Set<string>();
  for (let round = 0; round < 8; round++) {
    const submitter = startSubmitter(dir, `r${round}`, 1_000_000);
    // Every other one early, perhaps before it has made the folders; the rest in full flight.
    await (round % 2 === 0 ? submitter.ready : submitter.acknowledged);
    await systemClock.sleep(Math.random() * 40);
    submitter.child.kill('SIGKILL');
    assert.equal((await submitter.ended).signal, 'SIGKILL');
    for (const line of submitter.lines.slice(1)) acknowledged.add(line);
  }

  const queue = await spoolFor(t, dir);
  const found = new Map<string, number>();
  for (const [first] of (await receiveAll(queue)).map(parse)) {
    assert.ok(first);
    const { name, call } = first;
    assert.equal(call, (found.get(name) ?? -1) + 1, 'the items of a process are its first ones, without a gap');
    found.set(name, call);
  }
  assert.deepEqual(await namesIn(dir, 'bad'), []);
  assert.ok(acknowledged.size >= 4, 'the test has not tested much');
  for (const line of acknowledged) {
    const [name = '', call] = line.split(' ');
    assert.ok(Number(call) <= (found.get(name) ?? -1), `${line} was acknowledged and is lost`);
  }
});

test('the spool works on while submitters come and go', async (t) => {
  const dir = await spoolPath(t);
  await submitToSpool(dir, [new Uint8Array(1)]);
  const queue = await spoolFor(t, dir);
  const submitter = startSubmitter(dir, 'other', 3);
  await submitter.ended;
  assert.equal((await receiveAll(queue)).length, 4);
});
