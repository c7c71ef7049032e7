import { SteleError } from '../errors.ts';
import { UnreachableError } from './errors.ts';

/** Most of a body nobody wants that is read all the same, so that its connection can serve again. */
const MAX_SKIPPED_BYTES = 64 * 1024;

/** The whole body, decoded. `limit` beyond `maxBytes`, without reading on; `unreachable` when it is cut short. */
export async function readBody(
  response: Response,
  coding: string,
  target: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const declared = declaredLength(response, coding);
  if (declared !== undefined && declared > maxBytes) {
    await cancel(response.body);
    throw tooLong(target, maxBytes);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunksOf(response.body)) {
    length += chunk.length;
    if (length > maxBytes) {
      // Leaving the loop cancels the body.
      throw tooLong(target, maxBytes);
    }
    chunks.push(chunk);
  }
  if (declared !== undefined && declared !== length) {
    throw new UnreachableError(`${target} was cut short: ${length} of ${declared} bytes came`);
  }
  return concatenate(chunks, length);
}

/** Reads what is left of a short body nobody wants, and gives up a long one. */
export async function skipBody(response: Response): Promise<void> {
  let length = 0;
  try {
    for await (const chunk of chunksOf(response.body)) {
      length += chunk.length;
      if (length > MAX_SKIPPED_BYTES) {
        return;
      }
    }
  } catch {
    // What the answer was is known already; its connection is gone.
  }
}

/**
 * What Content-Length promises of the decoded body. Nothing for an encoded one, nor across origins in a browser, where
 * the Content-Encoding is hidden from us.
 */
function declaredLength(response: Response, coding: string): number | undefined {
  const header = response.headers.get('content-length');
  if (header === null || !/^\d+$/.test(header) || response.type === 'cors') {
    return undefined;
  }
  return coding === '' || coding === 'identity' ? Number(header) : undefined;
}

async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (body === null) {
    return;
  }
  // A reader and not `for await` over the stream itself, which Safari cannot do.
  const reader = body.getReader();
  let ended = false;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    if (!ended) {
      await reader.cancel().catch(() => undefined);
    }
    reader.releaseLock();
  }
}

async function cancel(body: ReadableStream<Uint8Array> | null): Promise<void> {
  await body?.cancel().catch(() => undefined);
}

function tooLong(target: string, maxBytes: number): SteleError {
  return new SteleError('limit', `${target} has more than the ${maxBytes} bytes that were expected`);
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) {
    return only;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
