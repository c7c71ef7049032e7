/** What `stele serve` takes, and how long it waits, where nobody configured anything: as Rekor's servers do. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadConfig } from '../../src/cli/config.ts';
import { entriesService, openQueueBackend } from '../../src/cli/serving.ts';
import type { EntriesService } from '../../src/server/index.ts';
import { steleHere, temporaryFolder } from './run-stele.ts';

const dir = join(temporaryFolder(), 'log');

async function serviceOf(
  t: TestContext,
  host: string,
  flags: Readonly<Record<string, string>>,
): Promise<EntriesService> {
  const config = await loadConfig(dir, {}, flags);
  const backend = await openQueueBackend(config);
  const service = await entriesService(config, backend, { host, port: 0 }, undefined, {});
  t.after(async () => {
    await service[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
  });
  return service;
}

test('unless configured, 4 MiB a request, 20 s, 600 a minute of one client but on loopback, and duplicates are answered', async (t) => {
  const made = await steleHere(['init', dir, '--origin', 'log.example']);
  assert.equal(made.status, 0, made.stderr);
  const { maxBodyBytes, timeoutMs, perMinute, staleMs, duplicates, proposals, tokens } = await serviceOf(
    t,
    '0.0.0.0',
    {},
  );
  assert.deepEqual([maxBodyBytes, timeoutMs, perMinute, staleMs], [4 * 2 ** 20, 20_000, 600, 10_000]);
  assert.deepEqual([duplicates, proposals, tokens], ['entry', {}, undefined]);
  assert.equal((await serviceOf(t, '127.0.0.1', {})).perMinute, 0);
});

test('what is configured is what holds', async (t) => {
  writeFileSync(
    join(dir, 'stele.yaml'),
    'origin: log.example\nkey: key\nstores: { public: public, private: private }\nserver: { maxBody: 1MiB, timeout: 5s, rateLimit: 7, stale: 3s, duplicates: conflict }\nentries: { kinds: [dsse], maxPayload: 1KiB }\n',
  );
  const service = await serviceOf(t, '127.0.0.1', { 'server.timeout': '6s' });
  const { maxBodyBytes, timeoutMs, perMinute, staleMs, duplicates, proposals } = service;
  assert.deepEqual([maxBodyBytes, timeoutMs, perMinute, staleMs], [2 ** 20, 6_000, 7, 3_000]);
  assert.deepEqual([duplicates, proposals], ['conflict', { kinds: ['dsse'], maxPayloadBytes: 1_024 }]);
});
