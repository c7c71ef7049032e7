import { SteleError } from '../../errors.ts';
import { openCheckpoint } from '../../note/index.ts';
import { LOG, VKEY } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { readInput } from '../files.ts';
import { openLog } from '../reading.ts';
import { base64 } from '../shapes.ts';
import { defineVerb } from '../verb.ts';

/** 1 MiB, as much as any reader takes. */
const MAX_CHECKPOINT_BYTES = 2 ** 20;

export default defineVerb({
  positionals: {
    log: LOG,
    oldCheckpoint: {
      describe: 'a file with an older checkpoint of this log; `-` for standard input',
      type: 'string',
      demandOption: true,
    },
  },
  options: { vkey: VKEY },
  examples: [
    ['consistency my-log seen.txt', 'does the log still contain all that seen.txt signed?'],
    ['consistency https://log.example/ seen.txt --vkey log.example+8c2d…', 'the same of a public log'],
  ],
  async run({ log, oldCheckpoint, vkey }, { output, environment, stdin }) {
    const { reader, verifier } = await openLog(log, vkey, environment);
    const older = openCheckpoint(await readInput(oldCheckpoint, stdin, MAX_CHECKPOINT_BYTES), verifier);
    const newer = await reader.checkpoint();
    if ((await reader.verifyConsistencyWith(older, newer)).size > newer.size) {
      throw new SteleError(
        'unreachable',
        `${log} serves a checkpoint of size ${newer.size}, which ${oldCheckpoint} (size ${older.size}) extends: a stale copy, try again`,
      );
    }
    const proof = await reader.consistencyProof(older.size, newer);
    const hashes = proof.map(base64);
    const lines = [`old ${older.size} ${base64(older.root)}`, `new ${newer.size} ${base64(newer.root)}`, ...hashes];
    output.result(`${lines.join('\n')}\n`, {
      consistent: true,
      origin: newer.origin,
      old: { size: older.size, root: base64(older.root) },
      new: { size: newer.size, root: base64(newer.root) },
      proof: hashes,
    });
    return YES;
  },
});
