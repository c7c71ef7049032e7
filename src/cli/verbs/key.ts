import { randomBytes } from 'node:crypto';
import { SteleError } from '../../errors.ts';
import type { Signer } from '../../note/index.ts';
import { ALLOW_OPEN_KEY, DIR } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { type ExitStatus, YES } from '../exit-codes.ts';
import { generateNamedKey, KEY_VARIABLE, loadSigner, writeKeyFile } from '../key-file.ts';
import { verifierOf } from '../reading.ts';
import { type Context, defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: {
    action: { describe: 'what to do', choices: ['generate', 'show'] as const, demandOption: true },
  },
  options: {
    origin: { describe: 'generate: name of the log and of its key', type: 'string', requiresArg: true },
    out: { alias: 'o', describe: 'generate: the new key file; `-` prints the key', type: 'string', requiresArg: true },
    dir: { ...DIR, describe: "show: the log's folder, with stele.yaml" },
    key: { describe: 'show: a signer key file, or fd:N, instead of a log', type: 'string', requiresArg: true },
    'allow-open-key': ALLOW_OPEN_KEY,
  },
  examples: [
    ['key generate --origin log.example/demo -o key', 'a new Ed25519 key, in a file that only you can read'],
    ['key show -C my-log', "a log's verifier key: what its readers need"],
    ['key show --key key', 'the verifier key that belongs to a signer key'],
  ],
  run: (args, context) => (args.action === 'generate' ? generate(args, context) : show(args, context)),
});

async function generate(
  { origin, out }: { readonly origin: string | undefined; readonly out: string | undefined },
  { output }: Context,
): Promise<ExitStatus> {
  if (origin === undefined || out === undefined) {
    throw new SteleError('config', 'key generate needs --origin NAME and -o FILE (or -o - to print the signer key)');
  }
  const { skey, vkey } = generateNamedKey(origin, randomBytes);
  if (out === '-') {
    output.result(`${skey}\n`, { origin, skey, vkey });
    output.note(vkey);
    return YES;
  }
  await writeKeyFile(out, skey);
  output.result(`${vkey}\n`, { origin, vkey, file: out });
  return YES;
}

async function show(
  args: { readonly dir: string; readonly key: string | undefined; readonly 'allow-open-key': boolean },
  { output, environment }: Context,
): Promise<ExitStatus> {
  const named = args.key !== undefined ? await signerOf(args.key, args['allow-open-key'], { environment }) : undefined;
  const { name, vkey } = named ?? (await verifierOf(await loadConfig(args.dir, environment), undefined, environment));
  output.result(`${vkey}\n`, { origin: name, vkey });
  return YES;
}

async function signerOf(
  place: string,
  allowOpenKey: boolean,
  { environment }: Pick<Context, 'environment'>,
): Promise<{ name: string; vkey: string }> {
  const signer: Signer = await loadSigner(place, '.', {
    environment: { ...environment, [KEY_VARIABLE]: undefined },
    allowOpenKey,
  });
  return { name: signer.name, vkey: signer.verifierKey };
}
