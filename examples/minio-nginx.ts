/**
 * A log in buckets of MinIO; the public reads it through nginx, which keeps tiles and never a 404:
 *
 *   node --conditions=source examples/minio-nginx.ts [minio] [nginx]
 *
 * nginx has examples/nginx/minio-cache.conf. Everything is in a temporary folder and is gone afterwards.
 */

import { path } from 'zx';
import { MINIO_CREDENTIALS, nginxExample, startMinio, startNginx } from './shared/servers.ts';
import { expect, must, say, stele, temporaryFolder } from './shared/steps.ts';

const [minio = 'minio', nginx = 'nginx'] = process.argv.slice(2);
await using temporary = await temporaryFolder();
const folder = temporary.path;
const log = path.join(folder, 'log');
const lines = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `entry ${from + i}\n`).join('');

say('1. MinIO, and nginx before it.');
await using storage = await startMinio(minio, path.join(folder, 'minio'));
Object.assign(process.env, MINIO_CREDENTIALS);
const { host } = new URL(storage.url);
await using web = await startNginx(nginx, path.join(folder, 'nginx'), (port) =>
  nginxExample('minio-cache.conf', {
    'listen 80': `listen 127.0.0.1:${port}`,
    'server 127.0.0.1:9000': `server ${host}`,
    '/my-log/demo': '/demo-log/log',
    '/var/cache/nginx/stele': path.join(folder, 'cache'),
  }),
);

say('2. init makes the buckets, lets everyone read the public one, and makes sure that nobody can read the other.');
const stores = [
  '--public-store',
  `minio://${host}/demo-log/log`,
  '--private-store',
  `minio://${host}/demo-private/log`,
];
const init = ['init', log, '--origin', 'log.example/minio', '--url', web.url, ...stores, '--public-read'];
const vkey = (await must(init)).trim();
const statusOf = async (url: string): Promise<number> => (await fetch(url)).status;
expect((await statusOf(`${storage.url}demo-log/log/checkpoint`)) === 200, 'anyone can read the checkpoint');
expect((await statusOf(`${storage.url}demo-private/log/log.json`)) === 403, 'nobody else can read the private store');

say('3. Submit and sequence.');
await must(['add', '-C', log, '--lines', '-'], lines(0, 600));
await must(['sequence', '-C', log, '--once']);

say('4. Read through nginx: tiles come from its cache the second time.');
const cacheStatus = async (key: string): Promise<[number, string | null]> => {
  const response = await fetch(web.url + key);
  await response.arrayBuffer();
  return [response.status, response.headers.get('x-cache-status')];
};
expect(/600 entries/.test(await must(['fsck', web.url, '--vkey', vkey])), 'the whole log verifies');
expect((await cacheStatus('tile/0/000')).join() === '200,HIT', 'tile/0/000 is kept');
expect((await cacheStatus('checkpoint'))[1] !== 'HIT', 'the checkpoint is asked for each time');

say('5. The next tile is a 404 until it is published, and no 404 is kept.');
expect((await cacheStatus('tile/0/003'))[0] === 404, 'tile/0/003 is not there yet');
await must(['add', '-C', log, '--lines', '-'], lines(600, 500));
await must(['sequence', '-C', log, '--once']);
expect((await cacheStatus('tile/0/003'))[0] === 200, 'and now it is');
expect(/1100 entries/.test(await must(['fsck', web.url, '--vkey', vkey])), 'the grown log verifies');

say('6. stele doctor looks at both buckets, and at nginx from outside.');
const { stdout } = await stele(['doctor', log, '--json']);
const { findings } = JSON.parse(stdout) as { findings: { check: string; verdict: string; seen: string }[] };
const amiss = findings.filter(({ verdict }) => verdict !== 'ok');
expect(amiss.length === 0, `it finds nothing amiss ${amiss.map(({ seen }) => seen).join('; ')}`);
expect(
  findings.filter(({ check }) => check === 'conditional-writes').length === 2,
  'both buckets keep their promises to writers',
);

say('It works.');
