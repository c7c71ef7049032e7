/** The SDK of S3 takes a third of a second to load, which a cron job that works on folders must not pay. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const loaded = new Set<string>();
registerHooks({
  resolve(specifier, context, next) {
    if (/^(@aws-sdk\/|@smithy\/|minio$)/.test(specifier)) loaded.add(specifier);
    return next(specifier, context);
  },
});

test('who works on folders loads nothing of S3, and a bucket is only paid for when it is opened', async () => {
  const { main } = await import('../../src/cli/main.ts');
  const { openStore, openReadableStore, isBucketUrl } = await import('../../src/store/index.ts');
  const folder = await mkdtemp(join(tmpdir(), 'stele-lazy-'));
  try {
    assert.equal(typeof main, 'function');
    const store = await openStore(`file://${folder}`);
    await store.close();
    openReadableStore(`file://${folder}`);
    assert.ok(isBucketUrl('minio://127.0.0.1:1/bucket'));
    openReadableStore('minio://127.0.0.1:1/bucket');
    assert.deepEqual([...loaded], []);
    process.env['MINIO_ACCESS_KEY'] ??= 'any';
    process.env['MINIO_SECRET_KEY'] ??= 'any';
    const bucket = await openStore('minio://127.0.0.1:1/bucket');
    await bucket.close();
    assert.ok(loaded.has('@aws-sdk/client-s3'), 'it would be seen here');
    assert.ok(!loaded.has('minio'), 'what only listens for events is not needed to keep objects');
  } finally {
    await rm(folder, { recursive: true });
  }
});
