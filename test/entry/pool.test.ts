/** The threads that check signatures: in the right order, in bounds, and not fewer after one died. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  openVerifierPool,
  parsePublicKey,
  type SignatureCheck,
  type VerifierPool,
  type VerifierPoolOptions,
} from '../../src/entry/index.ts';
import { openThread as openWebThread } from '../../src/entry/thread-web.ts';
import { isSteleError } from '../../src/errors.ts';
import { digest, SIGNERS, spkiOf, type TestSigner, utf8 } from './proposals.ts';

function checkOf(signer: TestSigner, message: string, over = message): SignatureCheck {
  const key = parsePublicKey(spkiOf(signer), 'the key');
  return { key, signed: { digest: digest(signer.hash, utf8(over)) }, signature: signer.sign(utf8(message)) };
}

function poolOf(t: TestContext, options: Partial<VerifierPoolOptions>): VerifierPool {
  const pool = openVerifierPool(options);
  t.after(() => pool.close());
  return pool;
}

/** A check that ends the thread that gets it: reading a property of nothing. */
const POISON = { key: undefined } as unknown as SignatureCheck;

test('each check gets its own answer, however many there are', async (t) => {
  const pool = poolOf(t, { threads: 2, maxWaitingMs: Number.POSITIVE_INFINITY });
  const signers = [SIGNERS.p256, SIGNERS.p384, SIGNERS.p521, SIGNERS.rsa2048, SIGNERS.ed25519ph];
  const expected = Array.from({ length: 140 }, (_, i) => i % 3 !== 0);
  const checks = expected.map((right, i) => {
    const signer = signers[i % 11 === 0 ? i % signers.length : 0] ?? SIGNERS.p256;
    return checkOf(signer, `${i}`, right ? `${i}` : 'another');
  });
  assert.deepEqual(await Promise.all(checks.map(pool.verify)), expected);
  assert.equal(pool.waitingMs, 0);
});

test('more than may wait is refused as busy, and what waits is still answered', async (t) => {
  const pool = poolOf(t, { threads: 1, maxWaitingMs: 3 });
  const check = checkOf(SIGNERS.p256, 'x');
  const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => pool.verify(check)));
  const busy = outcomes.filter((one) => one.status === 'rejected');
  assert.ok(busy.length >= 15 && busy.length <= 21, `${busy.length} of 30`);
  for (const { reason } of busy) {
    assert.ok(isSteleError(reason, 'busy'));
    assert.equal((reason as { retryAfterMs?: number }).retryAfterMs, 1_000);
    assert.match(reason.message, /^3 ms of signature checks are waiting/);
  }
  assert.ok(outcomes.every((one) => one.status === 'rejected' || one.value));
  assert.equal(await pool.verify(check), true, 'there is room again');
});

test('a check that costs more than may wait is taken by an idle pool', async (t) => {
  const pool = poolOf(t, { threads: 1, maxWaitingMs: 1 });
  assert.equal(await pool.verify(checkOf(SIGNERS.p521, 'x')), true);
});

test('a thread that dies fails what it was checking, and another takes its place', async (t) => {
  const pool = poolOf(t, { threads: 1 });
  assert.equal(await pool.verify(checkOf(SIGNERS.p256, 'x')), true);
  for (let i = 0; i < 2; i++) {
    await assert.rejects(
      pool.verify({ ...POISON, key: { type: 'rsa' } as never }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'unreachable');
        assert.match(error.message, /thread that checked this signature ended; try again/);
        assert.ok(error.cause instanceof Error);
        return true;
      },
    );
    assert.equal(pool.waitingMs, 0);
    assert.equal(await pool.verify(checkOf(SIGNERS.p256, 'x')), true);
  }
});

test('closing aborts what waits and what comes after', async () => {
  const pool = openVerifierPool({ threads: 1 });
  const waiting = Array.from({ length: 40 }, () => pool.verify(checkOf(SIGNERS.p384, 'x')));
  await Promise.all([pool.close(), ...waiting.map((one) => assert.rejects(one, { code: 'aborted' }))]);
  await assert.rejects(pool.verify(checkOf(SIGNERS.p256, 'x')), { code: 'aborted' });
  await pool.close();
});

test('the event loop goes on while the threads are busy', async (t) => {
  const pool = poolOf(t, { threads: 1, maxWaitingMs: Number.POSITIVE_INFINITY });
  const check = checkOf(SIGNERS.p521, 'x');
  await pool.verify(check);
  let answered = false;
  const all = Promise.all(Array.from({ length: 24 }, () => pool.verify(check))).then(() => {
    answered = true;
  });
  let turns = 0;
  while (!answered && turns < 1_000) {
    await sleep(1);
    turns += 1;
  }
  await all;
  assert.ok(turns >= 10, `${turns} turns of the loop in some 200 ms`);
});

test('a program ends though it never closed its pool, used or not, and not while it waits for an answer', () => {
  const index = new URL('../../src/entry/index.ts', import.meta.url).href;
  const check =
    "{ key: { type: 'ed25519', bytes: new Uint8Array(32) }, signed: { message: new Uint8Array() }, signature: new Uint8Array(64) }";
  for (const use of ['', `pool.verify(${check}).then((right) => console.log(right))`]) {
    const program = `import { openVerifierPool } from '${index}'; const pool = openVerifierPool(); ${use}`;
    const args = ['--conditions=source', '--input-type=module', '--eval', program];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, use && 'false\n');
  }
});

test('outside Node the same answers come from the calling thread, and none after closing', async () => {
  const answers: (readonly boolean[])[] = [];
  const thread = openWebThread({ onAnswers: (one) => answers.push(one), onEnd: () => assert.fail('it cannot end') });
  thread.post([checkOf(SIGNERS.p256, 'x'), checkOf(SIGNERS.p256, 'x', 'y')]);
  assert.deepEqual(answers, []);
  await sleep(20);
  assert.deepEqual(answers, [[true, false]]);
  thread.post([checkOf(SIGNERS.p256, 'x')]);
  await thread.close();
  await sleep(20);
  assert.equal(answers.length, 1);
});
