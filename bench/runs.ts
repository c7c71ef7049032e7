/** Runs of one benchmark in a fresh process: our own, and bench/tessera, our Go program around Tessera. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** No single run takes longer than this, in milliseconds. */
const RUN_LIMIT_MS = 15 * 60_000;

const INSTALLER = join(import.meta.dirname, '..', '.ci', 'install-servers');
const MAIN = join(import.meta.dirname, 'main.ts');

/** The figures that comparisons need; which of them are there depends on the benchmark. */
export interface RunFigures {
  readonly entries?: number;
  readonly entriesPerSecond?: number;
  readonly leavesPerSecond?: number;
  readonly root?: string;
  readonly verifierKey?: string;
  readonly publicUrl?: string;
}

type Mode = 'append' | 'tree' | 'fsck';
type Flags = Readonly<Record<string, string | number | boolean>>;

/** Builds what is missing and returns the path of our Go program; rejects with the installer's words. */
export async function buildTesseraBench(): Promise<string> {
  return output(INSTALLER, ['stele-bench-tessera']);
}

/** One run of the Go program. */
export async function runTessera(program: string, mode: Mode, flags: Flags): Promise<RunFigures> {
  return JSON.parse(await output(program, [mode, ...words(flags)]));
}

/** One run of our own benchmark, by a Node with this one's flags; its JSON object is the last line it prints. */
export async function runStele(mode: Mode, flags: Flags): Promise<RunFigures> {
  const printed = await output(process.execPath, [...process.execArgv, MAIN, mode, ...words({ ...flags, json: true })]);
  return JSON.parse(printed.split('\n').at(-1) ?? '');
}

/** A figure that has to be there. */
export function present<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) {
    throw new TypeError(`The run printed no ${name}.`);
  }
  return value;
}

function words(flags: Flags): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { timeout: RUN_LIMIT_MS });
  return stdout.trim();
}
