/** An error that comes from the thread of a log is the one that was thrown there. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { BusyError, isSteleError, SteleError } from '../../src/errors.ts';
import { readError, sendError } from '../../src/log/messages.ts';
import { LockedError } from '../../src/store/lock.ts';

/** Over to another thread and read there. */
const crossed = (error: unknown): Error => readError(structuredClone(sendError(error)));

test('code, message, stack and fields cross, and the class of what programs tell apart by it', () => {
  const busy = crossed(new BusyError('full', 1_500));
  assert.ok(busy instanceof BusyError && isSteleError(busy, 'busy'));
  assert.equal(busy.retryAfterMs, 1_500);

  const holder = { pid: 7, host: 'here', verb: 'sequence', since: '2026-01-02T03:04:05.000Z' };
  const thrown = new LockedError('held', holder);
  const locked = crossed(thrown);
  assert.ok(isSteleError(locked, 'locked'));
  assert.equal(locked.name, 'LockedError');
  assert.equal(locked.message, 'held');
  assert.equal(locked.stack, thrown.stack);
  assert.deepEqual('holder' in locked && locked.holder, holder);

  const full = crossed(Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC', syscall: 'write', errno: -28 }));
  assert.ok(!isSteleError(full));
  assert.deepEqual({ ...full }, { code: 'ENOSPC', syscall: 'write', errno: -28 });

  assert.equal(crossed('no error').message, 'no error');
});

test('causes cross, however many: a circle of them ends', () => {
  const disk = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  const { cause } = crossed(new SteleError('unreachable', 'cannot write', { cause: disk }));
  assert.ok(cause instanceof Error && 'code' in cause);
  assert.equal(cause.code, 'EIO');
  assert.equal(cause.cause, undefined);

  const full = crossed(Object.assign(new BusyError('full', 1_500), { cause: disk }));
  assert.ok(full instanceof BusyError && full.cause instanceof Error);
  assert.equal(full.cause.message, disk.message);

  const circle = new Error('again');
  circle.cause = circle;
  let depth = 0;
  for (let at: unknown = crossed(circle); at instanceof Error; at = at.cause) depth += 1;
  assert.ok(depth > 1 && depth < 20, `${depth} causes`);
});

test('a field that cannot be cloned is left out, and takes nothing with it', () => {
  const error = crossed(Object.assign(new SteleError('unreachable', 'gone'), { socket: () => 0, status: 503 }));
  assert.ok(isSteleError(error, 'unreachable'));
  assert.deepEqual(Object.keys(error).sort(), ['code', 'name', 'status']);
});
