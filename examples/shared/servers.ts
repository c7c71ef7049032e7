/** Starts the servers that examples stand on: on free ports of 127.0.0.1, with all their files in one folder. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_MS = 15_000;
/** Somebody may take a free port before its server does. */
const ATTEMPTS = 3;

export interface RunningServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  stop(): Promise<void>;
}

/** A configuration of examples/nginx with texts replaced, as an operator would; each must be in it. */
export async function nginxExample(name: string, changes: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(join(import.meta.dirname, '..', 'nginx', name), 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** Writes an nginx.conf around what would lie in conf.d/; returns its path. */
export async function writeNginxConfig(folder: string, servers: string): Promise<string> {
  await mkdir(join(folder, 'tmp'), { recursive: true });
  // Started by root, it would read as nobody, whom temporary folders keep out.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path tmp/${kind};`,
  );
  await writeFile(join(folder, 'site.conf'), servers);
  const config = join(folder, 'nginx.conf');
  await writeFile(
    config,
    `daemon off; ${user} pid nginx.pid; error_log stderr warn; worker_processes 1;
events { worker_connections 256; }
http { access_log off; ${temporary.join(' ')} include site.conf; }
`,
  );
  return config;
}

/** `servers` makes the configuration for the port that nginx is given. Throws what nginx says where it does not start. */
export function startNginx(
  program: string,
  folder: string,
  servers: (port: number) => Promise<string> | string,
): Promise<RunningServer> {
  return startServer('', async (port) => {
    await writeNginxConfig(folder, await servers(port));
    return spawn(program, ['-p', `${folder}/`, '-c', 'nginx.conf', '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  });
}

/** Whoever knows these may do everything; a real MinIO has others for each role. */
export const MINIO_CREDENTIALS = { MINIO_ROOT_USER: 'stele-example', MINIO_ROOT_PASSWORD: 'stele-example-secret' };

export async function startMinio(program: string, folder: string): Promise<RunningServer> {
  await mkdir(folder, { recursive: true });
  return startServer('minio/health/ready', async (port) =>
    spawn(program, ['server', '--quiet', '--address', `127.0.0.1:${port}`, folder], {
      env: { ...process.env, ...MINIO_CREDENTIALS, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off' },
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  );
}

/** Starts a server that answers at `ready` once it is there; `launch` is given a free port. */
export async function startServer(
  ready: string,
  launch: (port: number) => Promise<ChildProcess>,
): Promise<RunningServer> {
  for (let attempt = 1; ; attempt++) {
    const url = `http://127.0.0.1:${await freePort()}/`;
    const child = await launch(Number(new URL(url).port));
    let said = '';
    child.on('error', (error) => {
      said += String(error);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const stop = (): Promise<void> => end(child);
    if (await answers(child, url + ready)) return { url, stop, [Symbol.asyncDispose]: stop };
    await stop();
    if (attempt === ATTEMPTS) throw new Error(`${child.spawnargs.join(' ')} did not start: ${said}`);
  }
}

async function answers(child: ChildProcess, url: string): Promise<boolean> {
  const isRunning = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  for (const end = performance.now() + READY_MS; performance.now() < end && isRunning(); await sleep(50)) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response !== undefined && response.status < 500) return true;
  }
  return false;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** A port that nobody has now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
