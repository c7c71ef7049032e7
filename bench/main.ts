/**
 * `npm run bench -- VERB`: every figure that Stele claims comes from here. Each run uses a fresh folder, makes its
 * entries from a seed before the clock starts, and ends with an fsck of what it wrote: a log that is wrong has no speed.
 */

import './launch.ts';
import './flushes.ts';

import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { appendCommand } from './append.ts';
import { fsckCommand } from './fsck.ts';
import { latencyCommand } from './latency.ts';
import { memoryCommand } from './memory.ts';
import { postCommand } from './post.ts';
import { requestsCommand } from './requests.ts';
import { treeCommand } from './tree.ts';
import { verifyCommand } from './verify.ts';
import { versusTesseraCommand } from './versus-tessera.ts';

await yargs(hideBin(process.argv))
  .scriptName('npm run bench --')
  .command(appendCommand)
  .command(latencyCommand)
  .command(treeCommand)
  .command(verifyCommand)
  .command(fsckCommand)
  .command(memoryCommand)
  .command(versusTesseraCommand)
  .command(requestsCommand)
  .command(postCommand)
  .demandCommand(1, 'Which benchmark? See --help for what there is')
  .strict()
  .version(false)
  .fail((message, error) => {
    if (error) {
      throw error;
    }
    process.stderr.write(`${message}\nRun it with --help for its options.\n`);
    process.exit(2);
  })
  .wrap(120)
  .parseAsync();
