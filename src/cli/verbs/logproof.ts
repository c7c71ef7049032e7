import { SteleError } from '../../errors.ts';
import { EMPTY_ROOT, verifyConsistency } from '../../merkle/index.ts';
import { LOG, VKEY } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { parseCount } from '../quantities.ts';
import { openLog } from '../reading.ts';
import { defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: { log: LOG },
  options: {
    vkey: VKEY,
    'first-size': { describe: 'size of the older tree', type: 'string', default: '1', requiresArg: true },
    'last-size': { describe: 'size of the newer one; the latest unless given', type: 'string', requiresArg: true },
  },
  examples: [
    ['logproof my-log --first-size 10', 'that the latest tree extends that of 10 entries: root and hashes in hex'],
    ['logproof https://log.example --first-size 10 --last-size 20 --vkey "$KEY"', 'between any two sizes'],
  ],
  async run({ log, vkey, 'first-size': first, 'last-size': last }, { output, environment }) {
    const { reader } = await openLog(log, vkey, environment);
    const checkpoint = await reader.checkpoint();
    const firstSize = parseCount('--first-size', first);
    const lastSize = last === undefined ? checkpoint.size : parseCount('--last-size', last);
    if (firstSize > lastSize || lastSize > checkpoint.size) {
      throw new SteleError('config', `sizes go from --first-size to --last-size, at most ${checkpoint.size}`);
    }
    const proof = await reader.consistencyProof(firstSize, checkpoint, lastSize);
    const newRoot = await reader.rootAt(lastSize, checkpoint);
    const oldRoot = firstSize === 0 ? EMPTY_ROOT : await reader.rootAt(firstSize, checkpoint);
    verifyConsistency({ oldSize: firstSize, newSize: lastSize, oldRoot, newRoot, proof });
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    const hashes = proof.map(hex);
    const roots = { firstRoot: hex(oldRoot), rootHash: hex(newRoot) };
    const lines = [`first ${firstSize} ${roots.firstRoot}`, `last ${lastSize} ${roots.rootHash}`, ...hashes];
    output.result(`${lines.join('\n')}\n`, { firstSize, lastSize, ...roots, hashes });
    return YES;
  },
});
