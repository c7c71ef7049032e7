import { OUT, parseSeconds, VKEY } from '../arguments.ts';
import { isUrl } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { writeOutput } from '../files.ts';
import { SIGNED_FILE_OPTIONS } from '../signed-files.ts';
import { readProposal, submitToFolder, submitToServer, TOKEN_VARIABLE } from '../uploading.ts';
import { defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: {
    server: {
      describe: 'URL of a server that takes entries, or the folder of a log with stele.yaml, whose queue is used',
      type: 'string',
      demandOption: true,
    },
  },
  options: {
    ...SIGNED_FILE_OPTIONS,
    type: {
      describe:
        'kind of the entry; an envelope is logged as the hashedrekord of what was signed unless dsse is asked for',
      choices: ['hashedrekord', 'dsse'],
      default: 'hashedrekord',
      requiresArg: true,
    },
    vkey: { ...VKEY, describe: "the log's verifier key, to verify the answer [or STELE_VKEY]; known for a folder" },
    token: { describe: `a token of those who may write [or ${TOKEN_VARIABLE}]`, type: 'string', requiresArg: true },
    timeout: { describe: 'give up after this long', type: 'string', default: '60s', requiresArg: true },
    out: { ...OUT, describe: 'write the log entry, with its proof, to this file' },
  },
  examples: [
    [
      'upload https://log.example --artifact app.tgz --signature app.sig --public-key key.pem -o app.tlog.json',
      'log a signature; keep the proof, which `stele verify` checks offline',
    ],
    [
      'upload my-log --artifact-hash sha256:9f86… --signature app.sig --public-key cert.pem',
      'through the queue of a log',
    ],
    ['upload https://log.example --envelope statement.json --public-key key.pem', 'a signed DSSE envelope'],
  ],
  async run(args, { output, environment, stdin }) {
    const timeoutMs = parseSeconds('--timeout', args.timeout);
    const request = await readProposal(args, stdin);
    const { server, vkey, token, out } = args;
    const options = { vkey, token, timeoutMs, environment, output };
    const { index, size, entry, verified } = isUrl(server)
      ? await submitToServer(server, request, options)
      : await submitToFolder(server, request, options);
    const text = `${JSON.stringify(entry, undefined, 2)}\n`;
    if (out !== undefined) await writeOutput(out, text);
    output.result(`${index}\n`, { index, size, verified, entry });
    if (!verified) output.note('not verified, only what the server says: give --vkey to see it proven');
    return YES;
  },
});
