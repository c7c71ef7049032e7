/**
 * Stele beside Tessera on the same machine and the same entries: interleaved runs (A B A B …), each in a fresh process
 * and a fresh folder, medians compared. Tessera gets its default and its best batch settings; the ratio is against the
 * best of them, for either way of calling Stele.
 */

import { fileURLToPath } from 'node:url';
import type { CommandModule } from 'yargs';
import { DIRECTORY_SETTINGS } from '../src/sequencer/index.ts';
import { median, printFigures, readable } from './figures.ts';
import { buildTesseraBench, present, type RunFigures, runStele, runTessera } from './runs.ts';
import { type Scratch, withScratch } from './scratch.ts';

/** Tessera's batch size and age: its default, and two that were measured to be faster. */
const SETTINGS = [
  { batch: 256, age: '250ms' },
  { batch: 1_024, age: '100ms' },
  { batch: 4_096, age: '250ms' },
] as const;

/** Entries of one call to Stele. Tessera has no other way than one; those who are in a hurry give Stele many. */
const CALLS = [1, 256] as const;

/**
 * Stele looks for every entry among the latest; Tessera does so only when it is told to. One more run a round has it look
 * among as many. The marks are about the runs without.
 */
const RECOGNISING = { batch: 4_096, age: '250ms', dedup: DIRECTORY_SETTINGS.dedupWindow } as const;

/** Workers of Tessera's fsck; with one it is slower, and hangs on a corrupt tile. */
const FSCK_WORKERS = 4;

/** In memory there is no disk to wait for: so many leaves take about a second. */
const TREE_LEAVES = { leaves: 4_000_000, bytes: 32 } as const;

/** How many times Tessera's best an append must be, by entry size in bytes (DESIGN §8). Tree and fsck: at least equal. */
const APPEND_MARKS: ReadonlyMap<number, number> = new Map([
  [1_024, 1.8],
  [128, 3],
]);

/**
 * Entries of a run unless told otherwise: a GiB of them, at most so many. A multiple of every batch size, so that no run
 * of Tessera ends by waiting for a batch's age; and ten seconds of work, because ours is a fresh process, too, which spends
 * part of the first second or two on compiling its code: of a million small entries that is a tenth.
 */
const MOST_ENTRIES = 2 ** 22;
const MOST_BYTES = 2 ** 30;
const ENTRIES_MULTIPLE = Math.max(...SETTINGS.map(({ batch }) => batch));

/** Fewer rounds show that everything runs, and judge nothing. */
const JUDGED_ROUNDS = 3;

const PARTS = ['append', 'tree', 'fsck'] as const;

interface VersusOptions {
  readonly entries: number | undefined;
  readonly bytes: readonly number[];
  readonly fsckEntries: number;
  readonly rounds: number;
  readonly only: readonly string[];
  readonly dir: string | undefined;
  readonly json: boolean;
}

/** One line of the result: what was compared, both medians per second, and their ratio beside its mark. */
interface Comparison {
  readonly what: string;
  readonly stele: number;
  readonly tessera: number;
  readonly ratio: number;
  readonly mark: number | undefined;
}

export const versusTesseraCommand: CommandModule<object, VersusOptions> = {
  command: 'versus-tessera',
  describe: "Interleaved with Tessera's POSIX driver, its fsck and Go's tree libraries (needs Go)",
  builder: {
    entries: { type: 'number', describe: `Entries of each run; default: a GiB of them, at most ${MOST_ENTRIES}` },
    bytes: { type: 'array', number: true, default: [1_024, 128], describe: 'Bytes of each entry' },
    'fsck-entries': { type: 'number', default: 1_048_576, describe: 'Entries of the log that both check' },
    rounds: { type: 'number', default: 5, describe: 'Rounds of interleaved runs' },
    only: { type: 'array', string: true, choices: PARTS, default: [...PARTS], describe: 'What to compare' },
    dir: { type: 'string', describe: "Folder to write below; default: the system's temporary folder" },
    json: { type: 'boolean', default: false, describe: 'One JSON object on the last line' },
  },
  async handler(options) {
    const program = await buildTesseraBench();
    const comparisons: Comparison[] = [];
    await withScratch(options.dir, async (scratch) => {
      for (const bytes of options.bytes) {
        if (options.only.includes('append')) {
          comparisons.push(...(await compareAppends(program, options, scratch, bytes)));
        }
        if (options.only.includes('fsck')) comparisons.push(await compareFscks(program, options, scratch, bytes));
      }
    });
    if (options.only.includes('tree')) comparisons.push(await compareTrees(program, options.rounds));
    const title = `Stele beside Tessera, medians of ${options.rounds} rounds`;
    printFigures(
      title,
      Object.fromEntries(comparisons.map((line) => [line.what, verdict(line, options.rounds)])),
      false,
    );
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ comparisons })}\n`);
    }
  },
};

function verdict({ stele, tessera, ratio, mark }: Comparison, rounds: number): string {
  const judged =
    mark === undefined || rounds < JUDGED_ROUNDS ? '' : ` (mark ${mark}: ${ratio >= mark ? 'met' : 'NOT met'})`;
  return `${readable(Math.round(stele))}/s against ${readable(Math.round(tessera))}/s: ${ratio.toFixed(2)} times${judged}`;
}

async function compareAppends(
  program: string,
  options: VersusOptions,
  scratch: Scratch,
  bytes: number,
): Promise<Comparison[]> {
  const { entries = entriesOf(bytes) } = options;
  const stele = new Map<(typeof CALLS)[number], number[]>(CALLS.map((call) => [call, []]));
  const recognising: number[] = [];
  const tessera = new Map<(typeof SETTINGS)[number], number[]>(SETTINGS.map((setting) => [setting, []]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const [setting, rates] of tessera) {
      const theirs = await scratch.run((dir) =>
        appendAndCheck(program, { ...setting, dir, bytes, entries, seed: round }),
      );
      rates.push(told(`append ${bytes} B, round ${round}, Tessera ${setting.batch}/${setting.age}`, theirs));
      for (const [call, ratesOfCall] of stele) {
        const ours = await scratch.run((dir) =>
          runStele('append', { entries, bytes, call, seed: round, dir, keep: true }),
        );
        ratesOfCall.push(told(`append ${bytes} B, round ${round}, Stele, ${call} a call`, ours));
      }
    }
    const theirs = await scratch.run((dir) =>
      appendAndCheck(program, { ...RECOGNISING, dir, bytes, entries, seed: round }),
    );
    recognising.push(told(`append ${bytes} B, round ${round}, Tessera, recognising duplicates`, theirs));
  }
  const best = Math.max(...[...tessera.values()].map(median));
  return [...stele].flatMap(([call, rates]) => {
    const what = `append of ${bytes} B, ${call} a call`;
    const ours = median(rates);
    return [
      compared(what, ours, best, APPEND_MARKS.get(bytes)),
      compared(`${what}, duplicates recognised by both`, ours, median(recognising), undefined),
    ];
  });
}

function entriesOf(bytes: number): number {
  const most = Math.min(MOST_ENTRIES, MOST_BYTES / Math.max(1, bytes));
  return Math.max(1, Math.floor(most / ENTRIES_MULTIPLE)) * ENTRIES_MULTIPLE;
}

/** What Tessera wrote is checked by its own fsck: a run that lost entries is no run. */
async function appendAndCheck(
  program: string,
  flags: { dir: string; entries: number; bytes: number; batch: number; age: string; dedup?: number; seed: number },
): Promise<RunFigures> {
  const appended = await runTessera(program, 'append', flags);
  const vkey = present(appended.verifierKey, 'verifier key');
  const checked = await runTessera(program, 'fsck', { dir: flags.dir, vkey, workers: FSCK_WORKERS });
  if (checked.entries !== flags.entries) {
    throw new Error(`Tessera's log has ${checked.entries} entries, and ${flags.entries} were added.`);
  }
  return appended;
}

/** Both check one log that Stele built. */
function compareFscks(program: string, options: VersusOptions, scratch: Scratch, bytes: number): Promise<Comparison> {
  return scratch.run(async (dir) => {
    const built = await runStele('append', { entries: options.fsckEntries, bytes, dir, keep: true });
    const folder = fileURLToPath(present(built.publicUrl, 'public URL'));
    const vkey = present(built.verifierKey, 'verifier key');
    const stele: number[] = [];
    const tessera: number[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      const theirs = await runTessera(program, 'fsck', { dir: folder, vkey, workers: FSCK_WORKERS });
      tessera.push(told(`fsck ${bytes} B, round ${round}, Tessera`, theirs));
      const ours = await runStele('fsck', { log: folder, vkey });
      stele.push(told(`fsck ${bytes} B, round ${round}, Stele`, ours));
    }
    return compared(`fsck of ${bytes} B`, median(stele), median(tessera), 1);
  });
}

async function compareTrees(program: string, rounds: number): Promise<Comparison> {
  const stele: number[] = [];
  const go: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const theirs = await runTessera(program, 'tree', { ...TREE_LEAVES, seed: round });
    go.push(told(`tree, round ${round}, Go`, theirs));
    const ours = await runStele('tree', { ...TREE_LEAVES, seed: round });
    stele.push(told(`tree, round ${round}, Stele`, ours));
    if (ours.root !== theirs.root) {
      throw new Error(`The same leaves gave Stele the root ${ours.root} and Go ${theirs.root}.`);
    }
  }
  return compared('tree of 32 B leaves', median(stele), median(go), 1);
}

function compared(what: string, stele: number, tessera: number, mark: number | undefined): Comparison {
  return { what, stele, tessera, ratio: stele / tessera, mark };
}

/** The run's rate, which the reader is told at once. */
function told(what: string, run: RunFigures): number {
  const rate = present(run.entriesPerSecond ?? run.leavesPerSecond, 'rate');
  process.stderr.write(`${what}: ${readable(Math.round(rate))}/s\n`);
  return rate;
}
