/** Files that a command line names. What is wrong with them is the caller's to mend: `config`, naming the file. */

import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { SteleError } from '../errors.ts';

/** The bytes of a file, or of `stdin` where the path is `-`. Throws `config`. */
export async function* readStream(path: string, stdin: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  try {
    const source = path === '-' ? stdin : createReadStream(path, { highWaterMark: 2 ** 20 });
    for await (const chunk of source) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  } catch (cause) {
    throw new SteleError('config', `cannot read ${path === '-' ? 'standard input' : path}: ${reason(cause)}`, {
      cause,
    });
  }
}

/** The same as one buffer of at most `maxBytes`. Throws `config`, `limit`. */
export async function readInput(path: string, stdin: NodeJS.ReadableStream, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of readStream(path, stdin)) {
    total += chunk.length;
    if (total > maxBytes) throw new SteleError('limit', `${path} is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The value of a JSON file. Throws `config`. */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new SteleError('config', `cannot read ${path} as JSON: ${reason(cause)}`, { cause });
  }
}

export async function writeOutput(path: string, bytes: string | Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    throw new SteleError('config', `cannot write ${path}: ${reason(cause)}`, { cause });
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
