/** How long one submission takes where nothing else goes on: `stele serve` with the settings that `stele init` leaves. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { entryOf, post, proposal } from '../server/post.ts';
import { serveNewLog } from '../sigstore/served-log.ts';

/** What a client of an idle log may wait for its entry, in ms. */
const MOST_MS = 500;
const SUBMISSIONS = 30;
/** Pauses of this to ten times as much, so that they meet the cadence of publications at any point, in ms. */
const PAUSE_MS = 7;

test(`on an idle log in a folder 99 of 100 submissions are answered within ${MOST_MS} ms`, async (t) => {
  const log = await serveNewLog();
  t.after(() => log.stop());
  const server = { url: `${log.url}/` };
  let index = 0;
  const round = async (): Promise<number> => {
    const tookMs: number[] = [];
    const requests = Array.from({ length: SUBMISSIONS }, (_, i) => proposal(`${index + i}`));
    for (const [i, request] of requests.entries()) {
      await sleep(PAUSE_MS * (1 + (i % 10)));
      const began = performance.now();
      const answer = await post(server, request);
      tookMs.push(performance.now() - began);
      assert.equal(entryOf(answer).logIndex, String(index++));
    }
    tookMs.sort((a, b) => a - b);
    const [p50 = 0, p99 = 0] = [0.5, 0.99].map((part) => tookMs[Math.ceil(part * tookMs.length) - 1]);
    t.diagnostic(`p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
    return p99;
  };
  // Of so few the 99th in a hundred is the slowest. A machine that did something else for a moment spoils one round; a log
  // that is slow spoils both.
  if ((await round()) > MOST_MS) assert.ok((await round()) <= MOST_MS, 'in neither of two rounds');
});
