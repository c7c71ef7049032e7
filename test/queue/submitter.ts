/**
 * A process that submits: `node submitter.ts SPOOL NAME COUNT`. Prints `ready`, then the first entry of every submission
 * once it is acknowledged. Some calls overlap, and some submissions are large.
 */

import { submitToSpool } from '../../src/queue/index.ts';

const [dir = '', name = '', count = '0'] = process.argv.slice(2);
console.log('ready');
for (let call = 0; call < Number(count); ) {
  const overlapping = Array.from({ length: Math.min(1 + (call % 3), Number(count) - call) }, (_, i) => call + i);
  await Promise.all(overlapping.map(submit));
  call += overlapping.length;
}

async function submit(call: number): Promise<void> {
  const padding = 'x'.repeat(call % 5 === 0 ? 60_000 : 10);
  const entries = Array.from({ length: 1 + (call % 4) }, (_, i) => `${name} ${call} ${i} ${padding}`);
  await submitToSpool(
    dir,
    entries.map((entry) => new TextEncoder().encode(entry)),
  );
  console.log(`${name} ${call}`);
}
