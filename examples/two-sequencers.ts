/**
 * Two sequencers on one bucket, as on two machines; one is killed, and nothing is lost, doubled, or late by much:
 *
 *   node --conditions=source examples/two-sequencers.ts [minio]
 *
 * Everything is in a temporary folder and is gone afterwards.
 */

import { fs, path } from 'zx';
import { MINIO_CREDENTIALS, startMinio } from './shared/servers.ts';
import { expect, must, say, service, temporaryFolder } from './shared/steps.ts';

const ROUNDS = 6;
const PER_ROUND = 200;

const [minio = 'minio'] = process.argv.slice(2);
await using temporary = await temporaryFolder();
const folder = temporary.path;
const [one, two] = [path.join(folder, 'machine-1'), path.join(folder, 'machine-2')];

say('1. A log in two buckets.');
await using storage = await startMinio(minio, path.join(folder, 'minio'));
Object.assign(process.env, MINIO_CREDENTIALS);
const { host } = new URL(storage.url);
const stores = [
  '--public-store',
  `minio://${host}/demo-log/log`,
  '--private-store',
  `minio://${host}/demo-private/log`,
];
await must(['init', one, '--origin', 'log.example/two', ...stores]);

say('2. The other machine gets stele.yaml and the key, and both start. Neither is the leader.');
await fs.copy(one, two);
const sequence = (dir: string) =>
  service(['sequence', '-C', dir, '--publish.interval', '200ms', '--queue.poll', '500ms'], /from size 0/);
const first = await sequence(one);
const second = await sequence(two);

say(`3. ${ROUNDS} rounds of ${PER_ROUND} entries, each waited for; after the second, the first sequencer is killed.`);
const indices = new Set<number>();
for (let round = 0; round < ROUNDS; round++) {
  const entries = Array.from({ length: PER_ROUND }, (_, i) => `round ${round}, entry ${i}\n`).join('');
  const waited = await must(['add', '-C', two, '--lines', '-', '--wait', '--timeout', '60s'], entries);
  for (const index of waited.trim().split('\n')) indices.add(Number(index));
  if (round === 1) {
    first.kill('SIGKILL');
    console.log(`  killed process ${first.pid}`);
  }
}
const count = ROUNDS * PER_ROUND;
expect(indices.size === count, `${count} entries have ${indices.size} places`);

say('4. The other stops when it is told to, and the log is whole.');
const stopped = new Promise<number | null>((resolve) => second.once('exit', resolve));
second.kill('SIGTERM');
expect((await stopped) === 0, 'it ended well');
expect(new RegExp(`${count} entries`).test(await must(['fsck', two])), `${count} entries, none twice and none lost`);

say('It works.');
