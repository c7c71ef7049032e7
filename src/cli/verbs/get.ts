import { formatLogEntry, type LogEntryJson } from '../../entry/index.ts';
import { logIdOf, type SignedCheckpoint } from '../../note/index.ts';
import { LOG, OUT, parseIndex, VKEY } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { writeOutput } from '../files.ts';
import { openLog, type ReadableLog } from '../reading.ts';
import { base64 } from '../shapes.ts';
import { defineVerb } from '../verb.ts';
import { findEntry, tryReadEntry } from '../verifying.ts';

/** As Rekor v1 names entries: the leaf hash, in front of it maybe the id of a tree, 16 digits, which is not looked at. */
const ENTRY_ID = /^(?:[0-9a-f]{16})?([0-9a-f]{64})$/;

export default defineVerb({
  positionals: {
    log: LOG,
    entry: { describe: 'its index, from 0, or its leaf hash (64 hex digits)', type: 'string', demandOption: true },
  },
  options: {
    out: OUT,
    vkey: VKEY,
    'log-entry': {
      describe: 'print it as a TransparencyLogEntry with its proof, as a server answers it',
      type: 'boolean',
      default: false,
    },
  },
  examples: [
    ['get my-log 0', 'the first entry, its bytes as they are'],
    ['get https://log.example/ 1234 -o entry.json --vkey log.example+8c2d…', 'from a public log, into a file'],
    ['get my-log 0d094aaf…64 --log-entry', 'by its leaf hash; all leaf hashes are looked through'],
  ],
  async run({ log, entry: which, out, vkey, 'log-entry': asLogEntry }, { output, environment }) {
    const leafHash = ENTRY_ID.exec(which)?.[1];
    const asked = leafHash === undefined ? parseIndex(which) : Buffer.from(leafHash, 'hex');
    const opened = await openLog(log, vkey, environment);
    const checkpoint = await opened.reader.checkpoint();
    const index = typeof asked === 'number' ? asked : await findEntry(opened.reader, asked, checkpoint, output);
    const entry = await opened.reader.entry(index, checkpoint);
    if (asLogEntry) {
      const json = await logEntry(opened, index, entry, checkpoint);
      const text = `${JSON.stringify(json, undefined, 2)}\n`;
      if (out !== undefined) await writeOutput(out, text);
      output.result(out === undefined ? text : '', json);
      return YES;
    }
    if (out !== undefined) await writeOutput(out, entry);
    output.result(out === undefined ? entry : '', { index, size: checkpoint.size, entry: base64(entry) });
    return YES;
  },
});

async function logEntry(
  { reader, verifier }: ReadableLog,
  index: number,
  body: Uint8Array,
  checkpoint: SignedCheckpoint,
): Promise<LogEntryJson> {
  const { kind, apiVersion } = tryReadEntry(body) ?? { kind: 'raw', apiVersion: '0.0.1' };
  const hashes = await reader.inclusionProof(index, checkpoint);
  return formatLogEntry({ kind, apiVersion, body, index, hashes, checkpoint }, logIdOf(verifier));
}
