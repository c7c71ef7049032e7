/** The real programs that tests run against: `.ci/install-servers` installs them, outside the repository. */

import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const INSTALLER = join(import.meta.dirname, '..', '..', '.ci', 'install-servers');

/** What a program printed and how it ended; `status` is null when the time limit killed it. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The paths of installed programs, by the names that `.ci/install-servers` has for them. Where one is missing the test
 * says so and does not run; in CI (`CI=true`) that is a failure.
 */
export function realPrograms<Name extends string>(
  t: Pick<TestContext, 'skip'>,
  ...names: readonly Name[]
): Record<Name, string> | undefined {
  const found = find(names);
  if ('programs' in found) return found.programs;
  const { CI } = process.env;
  if (CI === 'true') {
    throw new Error(`CI must not skip: ${found.reason}`);
  }
  t.skip(found.reason);
  return undefined;
}

/** As `realPrograms`, for what is no test: throws what is missing. */
export function installedPrograms<Name extends string>(...names: readonly Name[]): Record<Name, string> {
  const found = find(names);
  if ('reason' in found) throw new Error(found.reason);
  return found.programs;
}

function find<Name extends string>(
  names: readonly Name[],
): { readonly programs: Record<Name, string> } | { readonly reason: string } {
  const { status, stdout, stderr, error } = spawnSync(INSTALLER, ['--where', ...names], { encoding: 'utf8' });
  if (status !== 0) return { reason: error?.message ?? stderr.trim() };
  const paths = stdout.trim().split('\n');
  return { programs: Object.fromEntries(names.map((name, i) => [name, paths[i]])) as Record<Name, string> };
}

/**
 * Runs a program to its end, or to the time limit, with `env` beside our own environment. Never rejects: what a test
 * expects of the end is its own affair.
 */
export function runProgram(
  path: string,
  args: readonly string[],
  limitMs: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = {
      encoding: 'utf8',
      timeout: limitMs,
      killSignal: 'SIGKILL',
      maxBuffer: 64 * 2 ** 20,
      env: { ...process.env, ...env },
    } as const;
    const child = execFile(path, args, options, (_error, stdout, stderr) => {
      resolve({ status: child.exitCode, stdout, stderr });
    });
  });
}
