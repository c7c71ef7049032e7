/** A log that `stele serve` serves, in a process of its own, as clients meet it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start, stele } from '../cli/run-stele.ts';

/** sigstore-go takes the name of a log's key from the host of its URL: a path in it, and it finds no key. */
export const ORIGIN = 'log.example';

export interface NewLog {
  readonly dir: string;
  readonly vkey: string;
  /** A folder for what goes with the log. */
  readonly folder: string;
}

export interface Served {
  /** Without a slash at its end. */
  readonly url: string;
  /** Stops the server; throws unless it ends well. */
  stop(): Promise<void>;
}

export interface ServedLog extends NewLog, Served {}

export async function newLog(origin: string): Promise<NewLog> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-served-'));
  const dir = join(folder, 'log');
  const made = await stele(['init', dir, '--origin', origin]);
  if (made.status !== 0) throw new Error(made.stderr);
  return { dir, folder, vkey: made.stdout.trim() };
}

export async function serve(dir: string, ...flags: readonly string[]): Promise<Served> {
  const service = start(['serve', '-C', dir, '--listen', '127.0.0.1:0', '--log-level', 'warn', ...flags]);
  const url = await service.said(/(http:\/\/127\.0\.0\.1:\d+)\//);
  return {
    url,
    async stop() {
      service.child.kill('SIGTERM');
      const { status, stderr } = await service.ended;
      if (status !== 0) throw new Error(`stele serve ended with ${status}: ${stderr}`);
    },
  };
}

/** Both; the log goes with its server. */
export async function serveNewLog(...flags: readonly string[]): Promise<ServedLog> {
  const log = await newLog(ORIGIN);
  const served = await serve(log.dir, ...flags);
  return {
    ...log,
    ...served,
    async stop() {
      await served.stop();
      await rm(log.folder, { recursive: true, force: true });
    },
  };
}
