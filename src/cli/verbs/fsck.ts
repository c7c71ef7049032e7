import { type FsckOptions, type FsckProgress, type FsckReport, fsck } from '../../client/index.ts';
import { LOG, VKEY } from '../arguments.ts';
import { AGAIN, type ExitStatus, NO, YES } from '../exit-codes.ts';
import { openRangeThreads } from '../fsck-threads.ts';
import { openLog, type ReadableLog } from '../reading.ts';
import { base64 } from '../shapes.ts';
import { defineVerb } from '../verb.ts';

/** Entries from which a second thread pays (DESIGN §8). */
const WORTH_THREADS = 200_000;
const THREADS = 2;

export default defineVerb({
  positionals: { log: LOG },
  options: { vkey: VKEY },
  examples: [
    ['fsck my-log', 'reads every entry and tile, and names each object that is not what was signed'],
    ['fsck https://log.example/ --vkey log.example+8c2d…', 'the same of a public log, over the network'],
    ['fsck my-log --json', 'the report for a program; exit status 1 where anything is wrong'],
  ],
  async run({ log, vkey }, { output, environment }) {
    const opened = await openLog(log, vkey, environment);
    const { size } = await opened.reader.checkpoint();
    const onProgress = (progress: FsckProgress): void => output.progress(describeProgress(progress));
    const options: FsckOptions = { retry: opened.retry, onProgress };
    const report =
      size > WORTH_THREADS ? await fsckInThreads(opened, options) : await fsck(opened.store, opened.verifier, options);
    const status = statusOf(report);
    output.result(describeReport(report, status), { ok: status === YES, ...report, root: base64(report.root) });
    return status;
  },
});

async function fsckInThreads(
  { store, storeUrl, verifier, retry }: ReadableLog,
  options: FsckOptions,
): Promise<FsckReport> {
  const threads = openRangeThreads(THREADS, { storeUrl, retry });
  try {
    // Two ranges for each thread, so that none waits for the next one to be cut.
    return await fsck(store, verifier, { ...options, checkRange: threads.checkRange, rangesInFlight: 2 * THREADS });
  } finally {
    await threads.close();
  }
}

function describeProgress({ entries, size, problemCount }: FsckProgress): string {
  const percent = size === 0 ? 100 : Math.floor((100 * entries) / size);
  return `${percent} %, ${entries} of ${size} entries${problemCount > 0 ? `, ${problemCount} problems` : ''}`;
}

/** Objects that could not be read, and what hangs on them, may be as they should be. */
function statusOf({ problems, problemCount }: FsckReport): ExitStatus {
  if (problemCount === 0) return YES;
  const unknown = problems.filter(({ kind }) => kind === 'unreachable' || kind === 'unproven').length;
  return unknown === problemCount && problems.some(({ kind }) => kind === 'unreachable') ? AGAIN : NO;
}

function describeReport(
  { origin, size, root, entries, bytes, problems, problemCount }: FsckReport,
  status: ExitStatus,
): string {
  const lines = problems.map(({ key, problem }) => `${key}: ${problem}`);
  if (problemCount > problems.length) lines.push(`… and ${problemCount - problems.length} more`);
  lines.push(
    problemCount === 0
      ? `ok: ${origin}, ${size} entries, ${bytes} bytes of bundles, root ${base64(root)}`
      : `${status === AGAIN ? 'not all could be read' : 'corrupt'}: ${origin}, ${problemCount} problems in ${entries} of ${size} entries`,
  );
  return `${lines.join('\n')}\n`;
}
