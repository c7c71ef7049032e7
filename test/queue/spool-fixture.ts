/** Spools for tests: fresh folders, other processes that submit. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { openSpool, type SpoolQueue } from '../../src/queue/index.ts';

/** A path for a spool whose parent exists; all of it goes when the test ends. */
export async function spoolPath(t: TestContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'stele-spool-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  return join(parent, 'queue');
}

export async function spoolFor(t: TestContext, dir: string, clock = systemClock): Promise<SpoolQueue> {
  const queue = await openSpool(dir, { clock });
  t.after(() => queue.close());
  return queue;
}

/** Names in one of the spool's folders, sorted. */
export async function namesIn(dir: string, folder: 'tmp' | 'new' | 'done' | 'bad'): Promise<string[]> {
  return (await readdir(join(dir, folder))).toSorted();
}

export interface Submitter {
  readonly child: ChildProcess;
  /** Lines it has printed: `ready`, then one per submission that was acknowledged. */
  readonly lines: string[];
  readonly ready: Promise<void>;
  /** Resolves with the first acknowledgement. */
  readonly acknowledged: Promise<void>;
  /** Resolves when it has ended, however that was. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/** A process of its own that submits to `dir` (see submitter.ts). */
export function startSubmitter(dir: string, name: string, count: number): Submitter {
  const script = new URL('submitter.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, dir, name, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const ready = Promise.withResolvers<void>();
  const acknowledged = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (lines.length === 1) ready.resolve();
    else acknowledged.resolve();
  });
  child.on('close', (code, signal) => ended.resolve({ code, signal }));
  return { child, lines, ready: ready.promise, acknowledged: acknowledged.promise, ended: ended.promise };
}
