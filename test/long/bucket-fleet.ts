/**
 * What tests of several `stele sequence` on one bucket stand on: MinIO behind a proxy that misbehaves, a log in it, and
 * sequencers that are started again whenever they end.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createLog, generateKey } from 'stele';
import { LogReader } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { allowPublicRead, ensureBucket, openReadableStore, publicUrl } from '../../src/store/index.ts';
import { startMinio, startToxiproxy, type Toxic } from '../interop/servers.ts';

/** A sequencer that stands still for so long finds that others went on, collected what it was about to create, and so on. */
const PAUSE_MS = 2_000;

const { skey, vkey } = generateKey('log.example/buckets', createHash('sha256').update('buckets').digest());
export const verifier = parseVerifierKey(vkey);
export const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
export const LAUNCHER = script('../../bin/stele.js');

/** A log in buckets. */
export interface Testbed extends AsyncDisposable {
  /** With stele.yaml, in which the stores are behind the proxy. */
  readonly folder: string;
  /** The stores, past the proxy. */
  readonly stores: { readonly publicStore: string; readonly privateStore: string };
  /** Where everyone reads, past the proxy. */
  readonly base: string;
  /** URL of the queue, behind the proxy. */
  readonly queueUrl: string;
  misbehave(name: string, toxic: Toxic): Promise<void>;
}

/** `folder` is there, and its owner's to remove; MINIO_CREDENTIALS are in the environment. */
export async function openTestbed(
  folder: string,
  programs: Readonly<Record<'minio' | 'toxiproxy-server', string>>,
): Promise<Testbed> {
  const server = await startMinio(programs.minio, join(folder, 'minio'));
  const proxy = await startToxiproxy(programs['toxiproxy-server']);
  const { host } = new URL(server.url);
  const stores = { publicStore: `minio://${host}/public/log`, privateStore: `minio://${host}/private/log` };
  for (const url of Object.values(stores)) await ensureBucket(url);
  await allowPublicRead(stores.publicStore);
  await (await createLog({ ...stores, key: skey })).close();
  const behind = `127.0.0.1:${await proxy.proxy('s3', server.url)}`;
  const yaml = [
    'origin: log.example/buckets',
    `vkey: ${vkey}`,
    'key: key',
    `stores: { public: 'minio://${behind}/public/log', private: 'minio://${behind}/private/log' }`,
  ];
  await writeFile(join(folder, 'stele.yaml'), `${yaml.join('\n')}\n`);
  await writeFile(join(folder, 'key'), `${skey}\n`, { mode: 0o600 });
  return {
    folder,
    stores,
    base: await publicUrl(stores.publicStore),
    queueUrl: `minio://${behind}/private/log/queue`,
    misbehave: (name, toxic) => proxy.toxic('s3', name, toxic),
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await server.stop();
    },
  };
}

/** A process whose every request has a connection of its own, and is counted in the folder. */
export function child({ folder }: Pick<Testbed, 'folder'>, args: readonly string[]): ChildProcess {
  const preload = pathToFileURL(script('one-answer-a-connection.ts')).href;
  const env = { ...process.env, NODE_OPTIONS: `--conditions=source --import=${preload}`, STELE_COUNTS: folder };
  return spawn(process.execPath, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A verb that is started again whenever it ends, as a service would be, until it is told to stop. */
export class Service {
  kills = 0;
  pauses = 0;
  readonly complaints: string[] = [];
  /** How often it ended by itself, to be started again. */
  restarts = 0;
  readonly #bed: Testbed;
  readonly #args: readonly string[];
  #running: ChildProcess | undefined;
  #stopping = false;
  readonly #ended: Promise<void>;

  constructor(bed: Testbed, args: readonly string[]) {
    this.#bed = bed;
    this.#args = args;
    this.#ended = this.#run();
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  kill(): void {
    if (this.#running?.kill('SIGKILL')) this.kills += 1;
  }

  /** Wherever it is in what it does. */
  async pause(): Promise<void> {
    const paused = this.#running;
    if (!paused?.kill('SIGSTOP')) return;
    this.pauses += 1;
    await sleep(PAUSE_MS);
    paused.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#running?.kill('SIGTERM');
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#running = child(this.#bed, [LAUNCHER, ...this.#args]);
      let stderr = '';
      this.#running.stderr?.on('data', (chunk: Buffer) => {
        stderr = (stderr + chunk.toString()).slice(-10_000);
      });
      this.#running.stdout?.resume();
      const [status, signal] = await once(this.#running, 'close');
      // 3: try again later, which is what a service does. While it starts nothing keeps SIGTERM from ending it.
      const good = signal === null ? status === 0 || status === 3 : signal === 'SIGKILL' || this.#stopping;
      if (!good) this.complaints.push(`${status ?? signal}: ${stderr}`);
      if (status === 3) this.restarts += 1;
      if (!this.#stopping) await sleep(100);
    }
  }
}

/** Follows the log as a reader does, which refuses one that goes back or forks. Resolves to the sizes that were seen. */
export async function follow(url: string, until: AbortSignal): Promise<number[]> {
  const reader = new LogReader(openReadableStore(url), verifier);
  const sizes: number[] = [];
  while (!until.aborted) {
    const { size } = await reader.checkpoint();
    if (size !== sizes.at(-1)) sizes.push(size);
    await sleep(100);
  }
  return sizes;
}

/** Every entry of the log, by its text; throws where one is there twice. */
export async function loggedEntries(url: string): Promise<Map<string, number>> {
  const reader = new LogReader(openReadableStore(url), verifier);
  const checkpoint = await reader.checkpoint();
  const logged = new Map<string, number>();
  for await (const { index, entry } of reader.entries(0, checkpoint.size, checkpoint)) {
    const text = new TextDecoder().decode(entry);
    if (logged.has(text)) throw new Error(`${text} is at ${logged.get(text)} and at ${index}`);
    logged.set(text, index);
  }
  return logged;
}
