/** Where the tokens of those who may write come from: the environment, or a file that nobody else can read. */

import { resolve } from 'node:path';
import { parseTokens, type Tokens } from '../server/index.ts';
import type { Environment, LogConfig } from './config.ts';
import { readSecretFile } from './key-file.ts';

/** Tokens with white space between them; wins over `server.tokens` of stele.yaml. */
export const TOKENS_VARIABLE = 'STELE_TOKENS';

/** Undefined where none are configured. Throws `config`. */
export async function loadTokens({ dir, server }: LogConfig, environment: Environment): Promise<Tokens | undefined> {
  const given = environment[TOKENS_VARIABLE];
  if (given !== undefined) return parseTokens(given.replace(/\s+/g, '\n'), TOKENS_VARIABLE);
  if (server?.tokens === undefined) return undefined;
  const path = resolve(dir, server.tokens);
  return parseTokens(await readSecretFile(path, 'tokens file', false), path);
}
