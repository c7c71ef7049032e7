/** Servers that post.ts measures: how any is started, and the Rekor v2 server (rekor-tiles). */

import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, type RunningServer, startServer } from '../examples/shared/servers.ts';

export interface MeasuredServer extends RunningServer {
  readonly port: number;
  readonly pid: number;
  /** Entries of the log, as its checkpoint has it; called once the server was stopped. */
  treeSize(): Promise<number>;
}

/** A server that answers at /healthz. It ends with this process, however that ends short of SIGKILL. */
export async function startMeasured(
  launch: (port: number) => Promise<ChildProcess>,
  treeSize: () => Promise<number>,
): Promise<MeasuredServer> {
  let child: ChildProcess | undefined;
  const killChild = (): boolean | undefined => child?.kill();
  process.on('exit', killChild);
  const server = await startServer('healthz', async (port) => {
    child = await launch(port);
    return child;
  });
  if (child?.pid === undefined) throw new Error(`There is no process behind ${server.url}`);
  const stop = async (): Promise<void> => {
    await server.stop();
    process.off('exit', killChild);
  };
  const port = Number(new URL(server.url).port);
  return { url: server.url, port, pid: child.pid, treeSize, stop, [Symbol.asyncDispose]: stop };
}

/** All is as it is unless configured, but for the time between checkpoints; the log is in files below `folder`. */
export async function startRekor(program: string, folder: string, checkpointMs: number): Promise<MeasuredServer> {
  const storage = join(folder, 'log');
  const signer = join(folder, 'signer.pem');
  await mkdir(folder, { recursive: true });
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(signer, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  return startMeasured(
    async (port) => {
      const flags = {
        hostname: 'bench.example',
        'http-address': '127.0.0.1',
        'http-port': port,
        'grpc-address': '127.0.0.1',
        'grpc-port': await freePort(),
        'http-metrics-port': await freePort(),
        'storage-dir': storage,
        'signer-filepath': signer,
        'checkpoint-interval': `${checkpointMs}ms`,
      };
      const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
      return spawn(program, ['serve', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    },
    async () => Number((await readFile(join(storage, 'checkpoint'), 'utf8')).split('\n')[1]),
  );
}
