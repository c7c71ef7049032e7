/** What examples for operators are made of: command lines that are shown as they would be typed, and what they print. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { $, chalk, within } from 'zx';

const LAUNCHER = fileURLToPath(new URL('../../bin/stele.js', import.meta.url));
const SHOWN_LINES = 6;
const SHOWN_COLUMNS = 160;

export const say = (text: string): void => console.log(chalk.bold(`\n${text}`));

/** A folder that is gone when its block ends, after the servers that were started in it. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'stele-example-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export interface Printed {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `stele …`, shows it and the first lines that it prints. */
export async function stele(args: readonly string[], input = ''): Promise<Printed> {
  console.log(chalk.cyan(`\n$ stele ${args.map((arg) => (/[^\w./:=+,-]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`));
  const { exitCode, stdout, stderr } = await within(
    () => $({ nothrow: true, quiet: true, input })`${process.execPath} ${LAUNCHER} ${args}`,
  );
  const lines = `${stdout}${stderr}`.trimEnd().split('\n');
  for (const line of lines.slice(0, SHOWN_LINES)) {
    console.log(`  ${line.length > SHOWN_COLUMNS ? `${line.slice(0, SHOWN_COLUMNS)}…` : line}`);
  }
  if (lines.length > SHOWN_LINES) console.log(chalk.gray(`  … ${lines.length - SHOWN_LINES} more lines`));
  return { status: exitCode, stdout, stderr };
}

/** As `stele`; throws unless it ends with status 0. */
export async function must(args: readonly string[], input?: string): Promise<string> {
  const { status, stdout } = await stele(args, input);
  if (status !== 0) throw new Error(`stele ${args[0]} ended with status ${status}`);
  return stdout;
}

/** Starts `stele …` as a service and resolves once it says something that matches. */
export async function service(args: readonly string[], said: RegExp): Promise<ChildProcess> {
  console.log(chalk.cyan(`\n$ stele ${args.join(' ')} &`));
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (said.test(stderr)) resolve();
    });
    child.on('close', () => reject(new Error(`stele ${args[0]} ended: ${stderr}`)));
  });
  console.log(`  process ${child.pid}`);
  return child;
}

/** What must hold at this point of an example; otherwise it ends with an error. */
export function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`this should hold, and does not: ${what}`);
  console.log(chalk.green(`  ✓ ${what}`));
}
