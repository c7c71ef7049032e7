/** The `Ask` of an examination, by this machine's `fetch`. */

import type { Ask } from '../client/index.ts';
import { SteleError } from '../errors.ts';
import { UnreachableError } from '../store/index.ts';

const TIMEOUT_MS = 15_000;
/** The largest object of a log, a bundle, has 16 MiB. */
const MAX_BODY_BYTES = 32 * 2 ** 20;

/** Bounded in time and bytes, without cookies; a redirect is an answer and leads nowhere. */
export const askByFetch: Ask = async (url, { method = 'GET', headers = {} } = {}) => {
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      credentials: 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const chunks: Uint8Array[] = [];
    let total = 0;
    for await (const chunk of response.body ?? []) {
      total += chunk.length;
      if (total > MAX_BODY_BYTES) throw new SteleError('limit', `${url} is longer than ${MAX_BODY_BYTES} bytes`);
      chunks.push(chunk);
    }
    return { status: response.status, headers: response.headers, bytes: Buffer.concat(chunks) };
  } catch (error) {
    if (error instanceof SteleError) throw error;
    throw new UnreachableError(`cannot read ${url}: ${reasonOf(error)}`, { cause: error });
  }
};

/** What `fetch` says alone ("fetch failed") tells nobody anything. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`;
}
