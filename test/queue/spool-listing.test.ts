import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../src/clock.ts';
import { itemNamer } from '../../src/queue/item-names.ts';
import { listItems } from '../../src/queue/spool-listing.ts';
import { spoolFor, spoolPath } from './spool-fixture.ts';

const nameOf = itemNamer(systemClock.now, '00000000000000ff');

test('a clock that steps back changes no order within a process (CLOCK-2)', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 ** 45 }), { minLength: 2, maxLength: 30 }), (times) => {
      let at = 0;
      const name = itemNamer(() => times[at++] ?? 0, '00000000000000ff');
      const names = times.map(() => name('0'.repeat(64)));
      assert.deepEqual(names.toSorted(), names);
      assert.equal(new Set(names).size, names.length);
    }),
  );
});

test('a backlog beyond what is held in memory is taken in order, a part at a time', async (t) => {
  const dir = await spoolPath(t);
  await (await spoolFor(t, dir)).close();
  const folder = join(dir, 'new');
  const names = Array.from({ length: 500 }, () => nameOf('0'.repeat(64)));
  for (const name of names) await writeFile(join(folder, name), '');
  const taken = new Set<string>();
  for (let part = await listItems(folder, taken, 64); part.length > 0; part = await listItems(folder, taken, 64)) {
    assert.deepEqual(part, names.slice(taken.size, taken.size + 64));
    for (const name of part) taken.add(name);
  }
  assert.equal(taken.size, names.length);
});

test('a listing holds the first items of every submitter without a gap, whatever appears while it is made', async (t) => {
  const dir = await spoolPath(t);
  await (await spoolFor(t, dir)).close();
  const folder = join(dir, 'new');
  const place = (name: string): void => writeFileSync(join(folder, name), '');
  // More than one system call reads, so that a reading has a middle.
  for (let i = 0; i < 3_000; i++) place(nameOf('0'.repeat(64)));
  const submitters = ['00000000000000aa', '00000000000000bb'].map((name) => {
    const next = itemNamer(systemClock.now, name);
    return { name, items: Array.from({ length: 200 }, () => next('0'.repeat(64))) };
  });
  // Called for every name of a reading: one submitter strikes in the middle of the first, one in that of the second.
  let names = 0;
  const whileReading = new Set<string>();
  whileReading.has = () => {
    names += 1;
    if (names === 1_500) submitters[0]?.items.forEach(place);
    if (names === 4_900) submitters[1]?.items.forEach(place);
    return false;
  };
  const listed = await listItems(folder, whileReading, 65_536);
  assert.ok(names > 4_900);
  for (const { name, items } of submitters) {
    const seen = listed.filter((item) => item.includes(`-${name}-`));
    assert.deepEqual(seen, items.slice(0, seen.length));
  }
});
