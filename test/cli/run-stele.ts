/** Runs the command as a user does: the launcher, in a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { main } from '../../src/cli/main.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/stele.js', import.meta.url));
export const VECTORS = new URL('../../tiles-spec/vectors/', import.meta.url);

export interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** What stdout was before it was taken for text. */
  readonly bytes: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** An open file that the child has as descriptor 3. */
  readonly fd3?: number;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  /** Resolves when stderr or stdout has a text that matches; rejects when the process ends before. */
  said(pattern: RegExp): Promise<string>;
}

export function start(args: readonly string[], { input = '', env = {}, cwd, fd3 }: RunOptions = {}): Running {
  const clean = Object.entries(process.env).filter(([name]) => !/^(STELE|NODE|GITHUB)_/.test(name));
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    ...(cwd !== undefined && { cwd }),
    env: { ...Object.fromEntries(clean), ...env },
    stdio: ['pipe', 'pipe', 'pipe', fd3 ?? 'ignore'],
  });
  const chunks: Buffer[] = [];
  let stderr = '';
  const stdout = () => Buffer.concat(chunks).toString();
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  // A verb that reads no input may be gone before it is written.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      resolve({ status, signal, stdout: stdout(), bytes: Buffer.concat(chunks), stderr });
    });
  });
  const said = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(stderr) ?? pattern.exec(stdout());
        if (found !== null) resolve(found[1] ?? found[0]);
      };
      child.stdout?.on('data', look);
      child.stderr?.on('data', look);
      child.on('close', () => reject(new Error(`ended without saying ${pattern}: ${stderr}`)));
      look();
    });
  return { child, ended, said };
}

export function stele(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return start(args, options).ended;
}

/** The same without a process of its own, for what does not need one: no signals, no descriptors, no help. */
export async function steleHere(args: readonly string[], { input = '', env = {} }: RunOptions = {}): Promise<Ran> {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const status = await main(args, { stdin: Readable.from([Buffer.from(input)]), stdout, stderr, env });
  return {
    status,
    signal: null,
    stdout: stdout.bytes.toString(),
    bytes: stdout.bytes,
    stderr: stderr.bytes.toString(),
  };
}

class Collected extends Writable {
  bytes = Buffer.alloc(0);

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    done();
  }
}

/** A folder that is gone when the test file is done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stele-cli-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface VectorTree {
  readonly name: string;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly logKey: { readonly skey: string; readonly vkey: string };
}

export function vectorTree(name: string): VectorTree & { readonly url: string } {
  const { trees } = JSON.parse(readFileSync(new URL('trees.json', VECTORS), 'utf8')) as { trees: VectorTree[] };
  const tree = trees.find((each) => each.name === name);
  if (tree === undefined) throw new Error(`no vector tree ${name}`);
  return { ...tree, url: new URL(`${name}/`, VECTORS).href };
}
