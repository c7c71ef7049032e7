import { SteleError } from '../../errors.ts';
import { hashLeaf } from '../../merkle/index.ts';
import { verifyProof } from '../../note/index.ts';
import { MAX_ENTRY_SIZE } from '../../tiles/index.ts';
import { VKEY } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { readInput } from '../files.ts';
import { parseVerifier, VKEY_VARIABLE } from '../reading.ts';
import { base64 } from '../shapes.ts';
import { defineVerb } from '../verb.ts';

/** 63 hashes, a megabyte of checkpoint and extra data: far more than a proof has. */
const MAX_PROOF_BYTES = 2 * 2 ** 20;

export default defineVerb({
  positionals: {
    entry: {
      describe: 'the file whose bytes are the entry; `-` for standard input',
      type: 'string',
      demandOption: true,
    },
  },
  options: {
    vkey: { ...VKEY, describe: "the log's verifier key (name+id+key) [or STELE_VKEY]" },
    proof: { describe: 'the proof file, from `stele prove`', type: 'string', demandOption: true, requiresArg: true },
  },
  examples: [
    ['verify --vkey log.example+8c2d… --proof entry.tlog-proof entry.json', 'is this very file in the log?'],
    ['get my-log 3 | stele verify --vkey "$KEY" --proof 3.tlog-proof -', 'the same of what another command prints'],
  ],
  async run({ entry, proof, vkey }, { output, environment, stdin }) {
    const key = vkey ?? environment[VKEY_VARIABLE];
    if (key === undefined)
      throw new SteleError('config', `give the log's verifier key: --vkey NAME+ID+KEY or ${VKEY_VARIABLE}`);
    const verifier = parseVerifier(vkey === undefined ? VKEY_VARIABLE : '--vkey', key);
    const proofBytes = await readInput(proof, stdin, MAX_PROOF_BYTES);
    const entryBytes = await readInput(entry, stdin, MAX_ENTRY_SIZE);
    const { index, checkpoint } = verifyProof(proofBytes, hashLeaf(entryBytes), verifier);
    const { origin, size, root } = checkpoint;
    output.result(`verified: entry ${index} of ${origin}, proven in the tree of size ${size}\n`, {
      verified: true,
      index,
      size,
      origin,
      root: base64(root),
    });
    return YES;
  },
});
