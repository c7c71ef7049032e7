/** Bearer tokens (RFC 6750) of those who may write. */

import { timingSafeEqual } from 'node:crypto';
import { SteleError } from '../errors.ts';
import { sha256 } from '../merkle/index.ts';

/** A token that can be guessed is none; 16 characters of base64 are 96 bits. */
const MIN_LENGTH = 16;
/** The characters of a token68 (RFC 9110 §11.2). */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/** The digests of tokens: what is kept cannot be sent. */
export type Tokens = readonly Uint8Array[];

/** One token a line; empty lines and those that begin with `#` are none. Throws `config` naming the line, never a token. */
export function parseTokens(text: string, where: string): Tokens {
  const lines = text.split(/\r?\n/).map((line, at) => ({ token: line.trim(), number: at + 1 }));
  const tokens = lines.filter(({ token }) => token !== '' && !token.startsWith('#'));
  if (tokens.length === 0) throw new SteleError('config', `${where}: there is no token in it`);
  return tokens.map(({ token, number }) => {
    if (TOKEN.test(token) && token.length >= MIN_LENGTH) return sha256(new TextEncoder().encode(token));
    const rule = `a token is ${MIN_LENGTH} or more of A-Z a-z 0-9 - . _ ~ + /`;
    throw new SteleError('config', `${where}, line ${number}: ${rule}; \`openssl rand -base64 32\` makes one`);
  });
}

/** Whether an `Authorization` header has one of the tokens; takes as long whichever it is, and if it is none. */
export function isAuthorized(header: string | undefined, tokens: Tokens): boolean {
  const [, token] = /^bearer +([^ ]+) *$/i.exec(header ?? '') ?? [];
  if (token === undefined) return false;
  const digest = sha256(new TextEncoder().encode(token));
  let found = false;
  for (const one of tokens) found = timingSafeEqual(one, digest) || found;
  return found;
}
