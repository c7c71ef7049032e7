/**
 * A log in a folder, written by one-shots from cron, read by anyone through nginx:
 *
 *   node --conditions=source examples/cron-nginx.ts [nginx]
 *
 * What cron would do once a minute (examples/cron/crontab) is done here three times in a row, the last time twice at once.
 * nginx has examples/nginx/directory.conf. Everything is in a temporary folder and is gone afterwards.
 */

import { path } from 'zx';
import { nginxExample, startNginx } from './shared/servers.ts';
import { expect, must, say, stele, temporaryFolder } from './shared/steps.ts';

const [nginx = 'nginx'] = process.argv.slice(2);
await using temporary = await temporaryFolder();
const folder = temporary.path;
const log = path.join(folder, 'log');
const www = path.join(folder, 'www');
const sequence = ['sequence', '-C', log, '--once', '--lock-wait', '0'];

say('1. nginx serves a folder, which will be the public store. The private one and the key are elsewhere.');
await using web = await startNginx(nginx, path.join(folder, 'nginx'), (port) =>
  nginxExample('directory.conf', { 'listen 80': `listen 127.0.0.1:${port}`, '/var/www/stele/demo': www }),
);
const vkey = (
  await must(['init', log, '--origin', 'log.example/cron', '--public-store', www, '--url', web.url])
).trim();

say('2. Submitted at any time by any number of processes; appended when cron comes round.');
await must(['add', '-C', log, '--lines', '-'], 'one\ntwo\nthree\n');
await must(sequence);
await must(['add', '-C', log, '--lines', '-'], 'four\n');
await must(sequence);

say('3. A run that starts while another is under way finds the lock taken, and ends with status 3: no harm done.');
await must(['add', '-C', log, '--lines', '-'], Array.from({ length: 2_000 }, (_, i) => `entry ${i}\n`).join(''));
const runs = await Promise.all([stele(sequence), stele(sequence)]);
expect(
  runs.some(({ status }) => status === 0) && runs.every(({ status }) => status === 0 || status === 3),
  'one run appended; the other waited its turn or left',
);

say('4. Whoever reads needs the URL and the key.');
await must(['checkpoint', web.url, '--vkey', vkey]);
expect((await must(['get', web.url, '3', '--vkey', vkey])) === 'four', 'entry 3 is the fourth');
expect(/2004 entries/.test(await must(['fsck', web.url, '--vkey', vkey])), 'all 2,004 entries are there, once each');

say('5. How it is served is what readers, caches and browsers need.');
const { stdout } = await stele(['doctor', log, '--json']);
const { findings } = JSON.parse(stdout) as { findings: { check: string; verdict: string; seen: string }[] };
const amiss = findings.filter(({ check, verdict }) => verdict !== 'ok' && check !== 'disk');
expect(amiss.length === 0, `stele doctor finds nothing amiss ${amiss.map(({ seen }) => seen).join('; ')}`);

say('It works.');
