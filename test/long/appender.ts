/** Appends without end and writes `<index> <entry>` for every acknowledgement; made to be killed. Arguments: folder, run. */

import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { openLog } from 'stele';

const [folder = '', run = '', key = ''] = process.argv.slice(2);
const url = (name: string): string => pathToFileURL(`${folder}/${name}`).href;
const log = await openLog({
  publicStore: url('public'),
  privateStore: url('private'),
  key,
  lockWaitMs: 0, // the lock of a killed process is free at once
  settings: { publishIntervalMs: 5, maxBatchEntries: 300 },
});
writeSync(1, 'open\n');

let next = 0;
async function submit(): Promise<never> {
  for (;;) {
    const entry = `run ${run} entry ${next++}`;
    const { index } = await log.append(new TextEncoder().encode(entry));
    writeSync(1, `${index} ${entry}\n`);
  }
}
await Promise.all(Array.from({ length: 400 }, submit));
