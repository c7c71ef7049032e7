/**
 * Follow a log as it grows, verifying that every checkpoint extends the last and that every entry is in its tree.
 *
 *     node --conditions=source examples/follow.ts URL VKEY [UNTIL-SIZE]
 *
 * Runs in a browser too: nothing here but `openHttp` touches the network, and nothing the server says is believed.
 */

import { LogReader, openHttp, parseVerifierKey } from 'stele/client';

const [url, vkey, until = 'Infinity'] = process.argv.slice(2);
if (url === undefined || vkey === undefined) throw new Error('usage: follow.ts URL VKEY [UNTIL-SIZE]');

const reader = new LogReader(openHttp(url), parseVerifierKey(vkey));
for await (const { checkpoint, previous } of reader.follow(undefined, { intervalMs: 200 })) {
  const from = previous?.size ?? 0;
  console.log(`${checkpoint.origin}: ${from} → ${checkpoint.size}`);
  for await (const { index, entry } of reader.entries(from, checkpoint.size, checkpoint)) {
    console.log(`  ${index}: ${new TextDecoder().decode(entry)}`);
  }
  if (checkpoint.size >= Number(until)) break;
}
