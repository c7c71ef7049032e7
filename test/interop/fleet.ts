/** A log in buckets of MinIO and the processes of `stele` that write to it, each of which can be killed and started again. */

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { LogReader } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { openReadableStore, publicUrl } from '../../src/store/index.ts';
import { type Ran, type Running, start, stele } from '../cli/run-stele.ts';
import type { ServedStore } from '../server/crowd.ts';
import { MINIO_CREDENTIALS, setEnvironment } from './servers.ts';

export interface Fleet extends ServedStore {
  /** Runs a verb to its end. */
  run(verb: string, ...flags: readonly string[]): Promise<Ran>;
  /** `stele sequence`, once it does. */
  sequencer(): Promise<Member>;
  /** `stele serve`, once it listens. */
  server(...flags: readonly string[]): Promise<Member & { readonly url: string }>;
}

/** One process, and those that take its place. */
export interface Member {
  /** Kills it, as nothing else ends without a word. */
  kill(): Promise<void>;
  /** Starts it again after `kill`: a server at the address that it had. */
  restart(): Promise<void>;
  /** SIGTERM; fails unless it ends well. */
  stop(): Promise<void>;
}

/** Makes the log. `settings`: variables of the environment of all its processes. They are gone when the test is. */
export async function fleetOn(
  t: TestContext,
  minio: { readonly url: string },
  folder: string,
  name: string,
  settings: Readonly<Record<string, string>>,
): Promise<Fleet> {
  setEnvironment(t, MINIO_CREDENTIALS);
  const { host } = new URL(minio.url);
  const [publicStore, privateStore] = ['public', 'private'].map((which) => `minio://${host}/${which}/${name}`);
  assert.ok(publicStore && privateStore);
  const dir = join(folder, name);
  t.after(() => rm(dir, { recursive: true, force: true }));
  const stores = ['--public-read', '--public-store', publicStore, '--private-store', privateStore];
  const made = await stele(['init', dir, '--origin', `${name}.example`, ...stores]);
  assert.equal(made.status, 0, made.stderr);
  const verifier = parseVerifierKey(made.stdout.trim());
  const store = openReadableStore(await publicUrl(publicStore));

  const member = async (args: readonly string[], ready: RegExp): Promise<Member & { readonly said: string }> => {
    let running: Running;
    const begin = async (more: readonly string[]): Promise<string> => {
      running = start([...args, '-C', dir, ...more], { env: settings });
      t.after(
        (
          (child) => () =>
            child.kill('SIGKILL')
        )(running.child),
      );
      return running.said(ready);
    };
    const listens = args.includes('serve');
    const said = await begin(listens ? ['--listen', '127.0.0.1:0'] : []);
    return {
      said,
      async kill() {
        running.child.kill('SIGKILL');
        await running.ended;
      },
      async restart() {
        await begin(listens ? ['--listen', new URL(said).host] : []);
      },
      async stop() {
        running.child.kill('SIGTERM');
        const { status, stderr } = await running.ended;
        assert.equal(status, 0, `stele ${args[0]}: ${stderr}`);
      },
    };
  };
  return {
    verifier,
    store,
    reader: new LogReader(store, verifier),
    run: (verb, ...flags) => stele([verb, '-C', dir, ...flags], { env: settings }),
    sequencer: () => member(['sequence'], /sequencing/),
    async server(...flags) {
      const one = await member(['serve', '--log-level', 'warn', ...flags], /(http:\/\/127\.0\.0\.1:\d+\/)/);
      return { ...one, url: one.said };
    },
  };
}
