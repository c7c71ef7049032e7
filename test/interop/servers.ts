/** Real servers for tests: on free ports of 127.0.0.1, their files in one folder, stopped by process id. */

import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort, type RunningServer, startServer } from '../../examples/shared/servers.ts';

export {
  MINIO_CREDENTIALS,
  nginxExample,
  type RunningServer,
  startMinio,
  startNginx,
} from '../../examples/shared/servers.ts';

export const VERSITYGW_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'stele-test',
  AWS_SECRET_ACCESS_KEY: 'stele-test-secret',
};

/** Keeps each object as a file below `folder`. */
export async function startVersitygw(program: string, folder: string): Promise<RunningServer> {
  await mkdir(folder, { recursive: true });
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = VERSITYGW_CREDENTIALS;
  const env = { ...process.env, ROOT_ACCESS_KEY: AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: AWS_SECRET_ACCESS_KEY };
  return startServer('health', async (port) =>
    spawn(program, ['--port', `127.0.0.1:${port}`, '--health', '/health', '--quiet', 'posix', folder], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  );
}

/** It has this one key, and the bucket that it is started with. */
export const S3RVER_CREDENTIALS = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };

/** A server that ignores `If-None-Match` and `If-Match`. */
export async function startS3rver(program: string, folder: string, bucket: string): Promise<RunningServer> {
  await mkdir(folder, { recursive: true });
  return startServer('', async (port) =>
    spawn(
      process.execPath,
      [program, '-d', folder, '-a', '127.0.0.1', '-p', String(port), '--configure-bucket', bucket],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    ),
  );
}

export interface Toxiproxy extends RunningServer {
  /** Puts a proxy before a server; its port. */
  proxy(name: string, upstream: string): Promise<number>;
  /** Adds a toxic to a proxy, or takes away the one of that name. */
  toxic(proxy: string, name: string, toxic: Toxic | undefined): Promise<void>;
}

export interface Toxic {
  readonly type: string;
  readonly stream: 'upstream' | 'downstream';
  /** The part of the connections that it concerns, 0 to 1. */
  readonly toxicity: number;
  readonly attributes: Readonly<Record<string, number>>;
}

export async function startToxiproxy(program: string): Promise<Toxiproxy> {
  const server = await startServer('version', async (port) =>
    spawn(program, ['-host', '127.0.0.1', '-port', String(port)], { stdio: ['ignore', 'ignore', 'pipe'] }),
  );
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${server.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`toxiproxy: ${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    ...server,
    async proxy(name, upstream) {
      const { host } = new URL(upstream);
      const made = await ask('POST', 'proxies', { name, listen: '127.0.0.1:0', upstream: host, enabled: true });
      return Number(/:(\d+)$/.exec((made as { listen: string }).listen)?.[1]);
    },
    async toxic(proxy, name, toxic) {
      if (toxic === undefined) await ask('DELETE', `proxies/${proxy}/toxics/${name}`);
      else await ask('POST', `proxies/${proxy}/toxics`, { name, ...toxic });
    },
  };
}

/** Sets variables of the environment while a test runs. */
export function setEnvironment(t: TestContext, variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name];
    process.env[name] = value;
    t.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
}

export interface NatsServer extends RunningServer {
  /** `nats://127.0.0.1:PORT` */
  readonly natsUrl: string;
}

/**
 * A NATS server with JetStream, whose streams are files below `folder`; `config`: more lines of its configuration. Given
 * the `natsUrl` of one that was stopped, it listens there again.
 */
export async function startNats(
  program: string,
  folder: string,
  config: readonly string[] = [],
  again?: string,
): Promise<NatsServer> {
  await mkdir(folder, { recursive: true });
  const port = again === undefined ? await freePort() : Number(new URL(again).port);
  const server = await startServer('healthz?js-enabled-only=true', async (monitor) => {
    const file = join(folder, 'nats.conf');
    const lines = [
      `listen: "127.0.0.1:${port}"`,
      `http: "127.0.0.1:${monitor}"`,
      `jetstream { store_dir: ${JSON.stringify(join(folder, 'js'))}, max_mem: 64M, max_file: 1G }`,
      ...config,
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    return spawn(program, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  });
  return { ...server, natsUrl: `nats://127.0.0.1:${port}` };
}
