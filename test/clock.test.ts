import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../src/clock.ts';

test('a sleep resolves when its signal aborts, and at once when it already has', async () => {
  const stop = new AbortController();
  const asleep = systemClock.sleep(3_600_000, stop.signal);
  stop.abort();
  await asleep;
  await systemClock.sleep(3_600_000, stop.signal);
});

test('a sleep longer than a timer of the platform does not end at once', async () => {
  const stop = new AbortController();
  let over = false;
  const asleep = systemClock.sleep(2 ** 40, stop.signal).then(() => {
    over = true;
  });
  await systemClock.sleep(20);
  assert.equal(over, false);
  stop.abort();
  await asleep;
});
