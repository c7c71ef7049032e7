import { SteleError } from '../../errors.ts';
import { hashLeaf } from '../../merkle/index.ts';
import { type Verifier, verifyProof } from '../../note/index.ts';
import { MAX_ENTRY_SIZE } from '../../tiles/index.ts';
import { VKEY } from '../arguments.ts';
import type { Environment } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { readInput } from '../files.ts';
import { parseVerifier, VKEY_VARIABLE } from '../reading.ts';
import { base64 } from '../shapes.ts';
import { SIGNED_FILE_OPTIONS } from '../signed-files.ts';
import { defineVerb } from '../verb.ts';
import { type VerifiedPlace, verifyInLog, verifyKept } from '../verifying.ts';

/** 63 hashes, a megabyte of checkpoint and extra data: far more than a proof has. */
const MAX_PROOF_BYTES = 2 * 2 ** 20;

export default defineVerb({
  positionals: {
    entry: { describe: 'with --proof: the file whose bytes are the entry; `-` for standard input', type: 'string' },
  },
  options: {
    vkey: { ...VKEY, describe: "the log's verifier key (name+id+key) [or STELE_VKEY]" },
    proof: { describe: 'offline: a proof file, from `stele prove`', type: 'string', requiresArg: true },
    'log-entry': {
      describe: 'offline: a log entry from `stele upload -o`, or a sigstore bundle',
      type: 'string',
      requiresArg: true,
    },
    log: { describe: 'online: the log, by folder or URL', type: 'string', requiresArg: true },
    'log-index': {
      describe: 'with --log: where the entry is; without it all leaf hashes are looked through',
      type: 'string',
      requiresArg: true,
    },
    type: {
      describe: 'with --log, without --log-index: the kind of entry',
      choices: ['hashedrekord', 'dsse'],
      default: 'hashedrekord',
      requiresArg: true,
    },
    ...SIGNED_FILE_OPTIONS,
  },
  examples: [
    ['verify --vkey log.example+8c2d… --proof entry.tlog-proof entry.json', 'is this very file in the log?'],
    ['get my-log 3 | stele verify --vkey "$KEY" --proof 3.tlog-proof -', 'the same of what another command prints'],
    [
      'verify --vkey "$KEY" --log-entry app.tlog.json --artifact app.tgz --public-key key.pem',
      'is a signature of it in the log? offline',
    ],
    ['verify --log my-log --log-index 7 --artifact app.tgz', 'the same in the log itself'],
    ['verify --log my-log --artifact app.tgz --signature app.sig --public-key key.pem', 'wherever it is'],
  ],
  async run(args, { output, environment, stdin }) {
    const { entry, proof, log, vkey } = args;
    const logEntry = args['log-entry'];
    if ([proof, logEntry, log].filter((one) => one !== undefined).length !== 1) {
      throw new SteleError('config', 'give one of --proof, --log-entry and --log; see `stele verify --help`');
    }
    if ((entry !== undefined) !== (proof !== undefined)) {
      throw new SteleError('config', 'a file and --proof go together; an artifact is named with --artifact');
    }
    let place: VerifiedPlace;
    if (proof !== undefined) {
      const verifier = verifierFrom(vkey, environment);
      const proofBytes = await readInput(proof, stdin, MAX_PROOF_BYTES);
      const entryBytes = await readInput(entry ?? '-', stdin, MAX_ENTRY_SIZE);
      place = { ...verifyProof(proofBytes, hashLeaf(entryBytes), verifier), kind: undefined };
    } else if (logEntry !== undefined) {
      place = await verifyKept(logEntry, args, verifierFrom(vkey, environment), stdin);
    } else {
      place = await verifyInLog(
        args,
        { ...args, log: log ?? '', index: args['log-index'], environment, output },
        stdin,
      );
    }
    const { index, checkpoint, kind } = place;
    const { origin, size, root } = checkpoint;
    const what = kind === undefined ? 'entry' : `${kind} entry`;
    output.result(`verified: ${what} ${index} of ${origin}, proven in the tree of size ${size}\n`, {
      verified: true,
      index,
      size,
      origin,
      root: base64(root),
      ...(kind !== undefined && { kind }),
    });
    return YES;
  },
});

function verifierFrom(vkey: string | undefined, environment: Environment): Verifier {
  const key = vkey ?? environment[VKEY_VARIABLE];
  if (key === undefined) {
    throw new SteleError('config', `give the log's verifier key: --vkey NAME+ID+KEY or ${VKEY_VARIABLE}`);
  }
  return parseVerifier(vkey === undefined ? VKEY_VARIABLE : '--vkey', key);
}
