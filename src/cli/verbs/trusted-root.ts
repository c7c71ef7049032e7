import { SteleError } from '../../errors.ts';
import { OUT } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { writeOutput } from '../files.ts';
import { openLog, parseVerifier } from '../reading.ts';
import { checkMoment, isHostName, trustedRootJson } from '../sigstore-trust.ts';
import { defineVerb } from '../verb.ts';

/** Keys count from here on unless the operator says otherwise: a log signs no time, so its age is nothing to check. */
const ALWAYS = '1970-01-01T00:00:00Z';

export default defineVerb({
  positionals: { log: { describe: 'the folder of a log, with stele.yaml', type: 'string' } },
  options: {
    vkey: {
      describe: 'a verifier key (name+id+key), also of other shards; repeat it for several',
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
    },
    merge: { describe: 'add the logs to those of this trusted root', type: 'string', requiresArg: true },
    start: { describe: 'since when the keys sign, in UTC', type: 'string', default: ALWAYS, requiresArg: true },
    out: OUT,
  },
  examples: [
    ['trusted-root my-log -o trusted_root.json', 'for cosign --trusted-root and the like'],
    ['trusted-root --vkey "$OLD" --vkey "$NEW"', 'a log and its successor'],
    ['trusted-root my-log --merge sigstore.json', "with the certificate authorities of sigstore's own"],
  ],
  async run({ log, vkey, merge, start, out }, { output, environment }) {
    const own = log === undefined ? [] : [(await openLog(log, undefined, environment)).verifier];
    const logs = [...own, ...vkey.map((key) => parseVerifier('--vkey', key))];
    if (logs.length === 0)
      throw new SteleError('config', 'name a log, or give --vkey; see `stele trusted-root --help`');
    for (const { name } of logs.filter((one) => !isHostName(one.name))) {
      output.note(
        `${name} is no bare host name: sigstore-js accepts the log all the same, but cosign and sigstore-go, which look for the host of its URL, do not`,
      );
    }
    const root = await trustedRootJson(logs, checkMoment('--start', start), merge);
    const text = `${JSON.stringify(root, undefined, 2)}\n`;
    if (out !== undefined) await writeOutput(out, text);
    output.result(out === undefined ? text : '', root);
    return YES;
  },
});
