import { INDEX, LOG, OUT, parseIndex, VKEY } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { writeOutput } from '../files.ts';
import { openLog } from '../reading.ts';
import { defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: { log: LOG, index: INDEX },
  options: { out: OUT, vkey: VKEY },
  examples: [
    ['prove my-log 3 -o entry.tlog-proof', 'a file that proves entry 3 to anyone who has it, offline'],
    ['prove https://log.example/ 1234 --vkey log.example+8c2d…', 'from a public log, to standard output'],
  ],
  async run({ log, index: indexText, out, vkey }, { output, environment }) {
    const index = parseIndex(indexText);
    const { reader } = await openLog(log, vkey, environment);
    const checkpoint = await reader.checkpoint();
    const proof = await reader.prove(index, checkpoint);
    if (out !== undefined) await writeOutput(out, proof);
    const json = { index, size: checkpoint.size, proof: new TextDecoder().decode(proof) };
    output.result(out === undefined ? proof : '', json);
    return YES;
  },
});
