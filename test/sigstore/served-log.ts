/** A log that `stele serve` serves, in a process of its own, as clients meet it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start, stele } from '../cli/run-stele.ts';

/** sigstore-go takes the name of a log's key from the host of its URL: a path in it, and it finds no key. */
export const ORIGIN = 'log.example';

export interface ServedLog {
  readonly dir: string;
  /** Without a slash at its end. */
  readonly url: string;
  readonly vkey: string;
  /** A folder that goes with the log. */
  readonly folder: string;
  /** Stops the server; throws unless it ends well. */
  stop(): Promise<void>;
}

export async function serveNewLog(...flags: readonly string[]): Promise<ServedLog> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-served-'));
  const dir = join(folder, 'log');
  const made = await stele(['init', dir, '--origin', ORIGIN]);
  if (made.status !== 0) throw new Error(made.stderr);
  const service = start(['serve', '-C', dir, '--listen', '127.0.0.1:0', '--log-level', 'warn', ...flags]);
  const url = await service.said(/(http:\/\/127\.0\.0\.1:\d+)\//);
  return {
    dir,
    url,
    vkey: made.stdout.trim(),
    folder,
    async stop() {
      service.child.kill('SIGTERM');
      const { status, stderr } = await service.ended;
      await rm(folder, { recursive: true, force: true });
      if (status !== 0) throw new Error(`stele serve ended with ${status}: ${stderr}`);
    },
  };
}
