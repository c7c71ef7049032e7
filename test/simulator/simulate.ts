/** Many schedules, in as many processes as asked for. */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './schedule.ts';
import type { Assignment, Told } from './worker.ts';

export interface Simulation {
  readonly seed: number;
  readonly schedules: number;
  readonly jobs: number;
  readonly mutation?: string;
  /** Stop after so many schedules that failed; 1 unless given. The shortest of them is the one to read. */
  readonly failures?: number;
  readonly onProgress?: (schedules: number) => void;
}

export interface Report {
  /** How many were run, those that failed included. */
  readonly schedules: number;
  /** What happened in them, in all. */
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly Outcome[];
}

/**
 * Then a fresh process goes on: Node keeps what a process that crashed in a schedule had waited for, and after some
 * thousands collecting garbage takes half of the time.
 */
const SCHEDULES_OF_A_PROCESS = 2_000;

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));

export async function simulate(simulation: Simulation): Promise<Report> {
  const { seed, schedules, jobs, mutation, failures = 1, onProgress = () => {} } = simulation;
  const counts: Record<string, number> = {};
  const failed: Outcome[] = [];
  let run = 0;
  const stop = new AbortController();
  const onTold = (told: Told): void => {
    run += told.schedules;
    for (const [name, value] of Object.entries(told.counts)) counts[name] = (counts[name] ?? 0) + value;
    if (told.failure !== undefined) failed.push(told.failure);
    if (failed.length >= failures) stop.abort();
    onProgress(run);
  };
  const runJob = async (job: number): Promise<void> => {
    let first = seed + job;
    let left = Math.floor((schedules - job + jobs - 1) / jobs);
    while (left > 0 && !stop.signal.aborted) {
      const count = Math.min(left, SCHEDULES_OF_A_PROCESS);
      const onToldOfJob = (told: Told): void => {
        first = told.next;
        onTold(told);
      };
      await work({ first, step: jobs, count, mutation, failures }, onToldOfJob, stop.signal);
      left -= count;
    }
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => runJob(job)));
  return { schedules: run, counts, failures: failed.sort((a, b) => (a.counts.events ?? 0) - (b.counts.events ?? 0)) };
}

/** Resolves when the process is done, or was stopped because another found enough; rejects when it broke. */
function work(assignment: Assignment, onTold: (told: Told) => void, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = fork(WORKER, [JSON.stringify(assignment)], {
      execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const kill = (): void => void worker.kill();
    stop.addEventListener('abort', kill);
    worker.on('message', (message) => onTold(message as Told));
    worker.on('error', reject);
    worker.on('exit', (code) => {
      stop.removeEventListener('abort', kill);
      if (code === 0 || stop.aborted) resolve();
      else reject(new Error(`a worker of the simulator ended with ${code}`));
    });
  });
}
