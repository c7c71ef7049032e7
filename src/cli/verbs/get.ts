import { INDEX, LOG, OUT, parseIndex, VKEY } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { writeOutput } from '../files.ts';
import { openLog } from '../reading.ts';
import { base64 } from '../shapes.ts';
import { defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: { log: LOG, index: INDEX },
  options: { out: OUT, vkey: VKEY },
  examples: [
    ['get my-log 0', 'the first entry, its bytes as they are'],
    ['get https://log.example/ 1234 -o entry.json --vkey log.example+8c2d…', 'from a public log, into a file'],
  ],
  async run({ log, index: indexText, out, vkey }, { output, environment }) {
    const index = parseIndex(indexText);
    const { reader } = await openLog(log, vkey, environment);
    const checkpoint = await reader.checkpoint();
    const entry = await reader.entry(index, checkpoint);
    if (out !== undefined) await writeOutput(out, entry);
    output.result(out === undefined ? entry : '', { index, size: checkpoint.size, entry: base64(entry) });
    return YES;
  },
});
