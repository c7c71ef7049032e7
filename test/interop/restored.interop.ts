/** The tests of `test/cli/restored.ts` on MinIO. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { metaFor, openStore } from '../../src/store/index.ts';
import { type Ground, testRestoredStores } from '../cli/restored.ts';
import { realPrograms } from './real-programs.ts';
import { MINIO_CREDENTIALS, type RunningServer, setEnvironment, startMinio } from './servers.ts';

const folder = await mkdtemp(join(tmpdir(), 'stele-restored-'));
let server: RunningServer | undefined;
after(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

testRestoredStores('on MinIO', async (t: TestContext): Promise<Ground | undefined> => {
  const programs = realPrograms(t, 'minio');
  if (programs === undefined) return undefined;
  setEnvironment(t, MINIO_CREDENTIALS);
  server ??= await startMinio(programs.minio, join(folder, 'minio'));
  const { host } = new URL(server.url);
  const url = (log: string, which: string): string => `minio://${host}/stele-${which}/${log}`;
  return {
    folder,
    url,
    async copy(log, which, name) {
      const copied = url(`copies/${log}-${name}`, which);
      await copyAll(url(log, which), copied);
      return {
        url: copied,
        async copyBack() {
          await empty(url(log, which));
          await copyAll(copied, url(log, which));
        },
      };
    },
    empty: (log, which) => empty(url(log, which)),
  };
});

async function copyAll(from: string, to: string): Promise<void> {
  const [source, target] = [await openStore(from), await openStore(to)];
  for await (const { key } of source.list('')) {
    const object = await source.get(key);
    if (object !== undefined) await target.create(key, object.bytes, metaFor(key));
  }
  await source.close();
  await target.close();
}

async function empty(url: string): Promise<void> {
  const store = await openStore(url);
  for await (const { key } of store.list('')) await store.delete(key);
  await store.close();
}
