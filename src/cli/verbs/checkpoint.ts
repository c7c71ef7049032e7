import { LOG, VKEY } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { openLog } from '../reading.ts';
import { checkpointJson } from '../shapes.ts';
import { defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: { log: LOG },
  options: { vkey: VKEY },
  examples: [
    ['checkpoint my-log', 'the checkpoint of a log in a folder, a signed note'],
    ['checkpoint https://log.example/ --vkey log.example+8c2d…', 'the same of a public log'],
    ['checkpoint my-log > seen.txt', 'keep it, for `stele consistency` later'],
  ],
  async run({ log, vkey }, { output, environment }) {
    const { reader } = await openLog(log, vkey, environment);
    const checkpoint = await reader.checkpoint();
    output.result(checkpoint.bytes, checkpointJson(checkpoint));
    return YES;
  },
});
