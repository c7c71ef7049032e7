/** What a verb prints: results on stdout, everything else on stderr, so that a result can always be piped. */

import { isSteleError, SteleError } from '../errors.ts';

export interface Output {
  readonly json: boolean;
  /** The result: `text` (or bytes, as they are) for people, one JSON document for programs. */
  result(text: string | Uint8Array, json: unknown): void;
  /** One line of a result that grows while the verb runs: text, or one JSON document a line. */
  event(text: string, json: unknown): void;
  /** A remark for the operator, on stderr. */
  note(text: string): void;
  /** How far long work has come, on stderr, only where someone watches; overwritten by what comes next. */
  progress(text: string): void;
  /** Reports a failure: on stderr for people, on stdout as `{"error":{"code","message"}}` for programs. */
  failure(error: unknown): void;
  /** Resolves when the results have been written. Throws `config` where they cannot be: a full disk, say. */
  flush(): Promise<void>;
}

/** What the verbs of one process print to. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

export function openOutput(json: boolean, { stdout, stderr }: Streams): Output {
  let progressShown = false;
  let unwritten: Error | undefined;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that went away (`stele … | head`) is no failure: the verb runs to its end and keeps its exit status.
    if (error.code !== 'EPIPE') unwritten ??= error;
  });
  // A service goes on though nobody can be told how it is.
  stderr.on('error', () => {});
  const clearProgress = () => {
    if (progressShown) stderr.write('\r\x1b[K');
    progressShown = false;
  };
  const print = (value: string | Uint8Array) => {
    clearProgress();
    stdout.write(value);
  };
  return {
    json,
    result: (text, value) => print(json ? `${JSON.stringify(value)}\n` : text),
    event: (text, value) => print(json ? `${JSON.stringify(value)}\n` : `${text}\n`),
    note(text) {
      clearProgress();
      stderr.write(`${text}\n`);
    },
    progress(text) {
      if (stderr.isTTY !== true) return;
      stderr.write(`\r\x1b[K${text}`);
      progressShown = true;
    },
    failure(error) {
      clearProgress();
      const { code, message } = describeError(error);
      if (json && unwritten === undefined) stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
      else stderr.write(`stele: ${message}\n`);
    },
    async flush() {
      await new Promise<void>((resolve) => stdout.write('', () => resolve()));
      if (unwritten === undefined) return;
      throw new SteleError('config', `cannot write to standard output: ${unwritten.message}`, { cause: unwritten });
    },
  };
}

function describeError(error: unknown): { code: string; message: string } {
  if (isSteleError(error)) return { code: error.code, message: error.message };
  // What the system refused (permissions, a full disk) is the operator's to mend, and its message says where.
  if (error instanceof Error && 'syscall' in error) return { code: 'config', message: error.message };
  // Not thrown on purpose: a mistake of ours, so show where.
  return { code: 'internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
