/** Lines of a stream as entries: exact bytes, whatever they are. */

import { SteleError } from '../errors.ts';
import { MAX_ENTRY_SIZE } from '../tiles/index.ts';

const LF = 10;

/**
 * The lines of a stream, in runs of those that came together. LF ends a line and is not part of it, CR is an
 * ordinary byte, an empty line is an empty entry, nothing follows a final LF; a last line without LF counts.
 * Throws `limit`, naming the line (from 1), before it would hold more than one entry's bytes of an endless one.
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let number = 1;
  let rest: Uint8Array = new Uint8Array(0);
  const checked = (line: Uint8Array): Uint8Array => {
    if (line.length > MAX_ENTRY_SIZE) {
      throw new SteleError('limit', `line ${number}: longer than ${MAX_ENTRY_SIZE} bytes, the most an entry can have`);
    }
    return line;
  };
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
      lines.push(checked(bytes.subarray(start, end)));
      number += 1;
      start = end + 1;
    }
    rest = checked(bytes.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) yield [rest];
}
