import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitLines } from '../../src/cli/lines.ts';
import { isSteleError } from '../../src/errors.ts';

async function linesOf(...chunks: Uint8Array[]): Promise<string[]> {
  async function* stream() {
    yield* chunks;
  }
  const lines: string[] = [];
  for await (const run of splitLines(stream())) lines.push(...run.map((line) => Buffer.from(line).toString('latin1')));
  return lines;
}

const bytes = (text: string) => Buffer.from(text, 'latin1');

test('LF ends a line, CR is kept, an empty line is an empty entry, and nothing follows a final LF', async () => {
  const cases: [string, string[]][] = [
    ['', []],
    ['\n', ['']],
    ['\n\n', ['', '']],
    ['a', ['a']],
    ['a\n', ['a']],
    ['a\nb', ['a', 'b']],
    ['a\r\nb\r\n', ['a\r', 'b\r']],
    ['a\n\nb\n', ['a', '', 'b']],
    ['\r', ['\r']],
    ['\xff\xfe\x00\n\x80', ['\xff\xfe\x00', '\x80']],
  ];
  for (const [text, expected] of cases) assert.deepEqual(await linesOf(bytes(text)), expected, JSON.stringify(text));
});

test('where a stream is cut into chunks changes no line', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: fc.constantFrom('a', '\n', '\r', 'é') })), async (texts) => {
      const chunks = texts.map((text) => Buffer.from(text));
      assert.deepEqual(await linesOf(...chunks), await linesOf(Buffer.concat(chunks)));
    }),
  );
});

test('a line above 65,535 bytes is refused by its number, also when it never ends (LIMIT-1)', async () => {
  const most = Buffer.alloc(65_535, 'x');
  assert.equal((await linesOf(most, bytes('\nb')))[0]?.length, 65_535);
  await assert.rejects(
    linesOf(bytes('a\n'), most, bytes('x\n')),
    (error) => isSteleError(error, 'limit') && /line 2/.test(error.message),
  );
  await assert.rejects(
    linesOf(most, most, most),
    (error) => isSteleError(error, 'limit') && /line 1/.test(error.message),
  );
});
