import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { parseTilePath, type Tile, tilePath } from '../../src/tiles/index.ts';
import { readJson } from './model.ts';

interface TileVectors {
  cases: (Tile & { id: string; path: string })[];
  malformed: { id: string; path: string; why: string; expect: string }[];
}

const vectors = readJson<TileVectors>('tiles.json');

const anyTile: fc.Arbitrary<Tile> = fc
  .tuple(
    fc.oneof(fc.nat(63), fc.constant('entries' as const)),
    fc.oneof(fc.nat(3_000_000), fc.maxSafeNat()),
    fc.integer({ min: 1, max: 256 }),
  )
  .map(([level, n, width]) => ({ level, n, width }));

const isMalformed = (error: unknown): boolean => isSteleError(error, 'malformed');

/** What the path names, or undefined when it is refused; any error but `malformed` fails the test. */
function parsed(path: string): Tile | undefined {
  try {
    return parseTilePath(path);
  } catch (error) {
    assert.ok(isMalformed(error), `${path}: ${error}`);
    return undefined;
  }
}

test('every tile of tiles.json has the path that Go gives it, and that path names it (TILES-5, TILES-6, TILES-7)', () => {
  for (const { id, level, n, width, path } of vectors.cases) {
    assert.equal(tilePath({ level, n, width }), path, id);
    assert.deepEqual(parseTilePath(path), { level, n, width }, id);
  }
});

test('every malformed path of tiles.json is refused as malformed (TILES-19)', () => {
  for (const { id, path, why, expect } of vectors.malformed) {
    assert.equal(expect, 'reject', id);
    assert.throws(() => parseTilePath(path), isMalformed, `${id}: ${why}`);
  }
});

test('indices around a new group and widths 1, 255 and 256 are spelled as the specification says (LIMIT-2)', () => {
  const table: [Tile, string][] = [
    [{ level: 0, n: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, n: 999, width: 1 }, 'tile/0/999.p/1'],
    [{ level: 0, n: 1_000, width: 255 }, 'tile/0/x001/000.p/255'],
    [{ level: 'entries', n: 999_999, width: 256 }, 'tile/entries/x999/999'],
    [{ level: 63, n: 1_000_000, width: 256 }, 'tile/63/x001/x000/000'],
    [{ level: 0, n: 1_234_067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 0, n: 2 ** 53 - 1, width: 1 }, 'tile/0/x009/x007/x199/x254/x740/991.p/1'],
  ];
  for (const [tile, path] of table) {
    assert.equal(tilePath(tile), path);
    assert.deepEqual(parseTilePath(path), tile);
  }
});

test('a path of an index above 2^53-1 is refused, not rounded (LIMIT-3)', () => {
  for (const path of [
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x009/x007/x199/x254/x740/993',
    'tile/0/x001/x000/x000/x000/x000/x000/000',
  ]) {
    assert.throws(() => parseTilePath(path), isMalformed, path);
  }
});

test('coordinates without a path are refused as beyond a limit (TILES-5, TILES-7, LIMIT-3)', () => {
  for (const tile of [
    { level: 64, n: 0, width: 1 },
    { level: -1, n: 0, width: 1 },
    { level: 0.5, n: 0, width: 1 },
    { level: 0, n: -1, width: 1 },
    { level: 0, n: 2 ** 53, width: 1 },
    { level: 0, n: Number.NaN, width: 1 },
    { level: 0, n: 0, width: 0 },
    { level: 0, n: 0, width: 257 },
    { level: 0, n: 0, width: 1.5 },
  ]) {
    assert.throws(
      () => tilePath(tile),
      (error) => isSteleError(error, 'limit'),
    );
  }
});

test('paths and tiles are in one-to-one correspondence (FUZZ-2)', () => {
  fc.assert(
    fc.property(anyTile, (tile) => assert.deepEqual(parseTilePath(tilePath(tile)), tile)),
    { numRuns: 2_000 },
  );
});

test('a mutated path is refused, or is itself the canonical path of what it names (FUZZ-2)', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '/',
      'x',
      '.p/',
      '0',
      '00',
      '000',
      '/000',
      'x000/',
      'entries',
      '64',
      '256',
      '\n',
      '%30',
      '../',
      '٣',
      '-',
      '+',
      ' ',
    ),
    fc.string({ maxLength: 3 }),
  );
  const mutated = fc
    .tuple(
      anyTile,
      fc.array(fc.record({ at: fc.nat(60), drop: fc.nat(4), insert: piece }), { minLength: 1, maxLength: 3 }),
    )
    .map(([tile, edits]) =>
      edits.reduce((path, { at, drop, insert }) => path.slice(0, at) + insert + path.slice(at + drop), tilePath(tile)),
    );
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: mutated }, fc.string()), (path) => {
      const tile = parsed(path);
      if (tile !== undefined) assert.equal(tilePath(tile), path);
    }),
    { numRuns: 10_000 },
  );
});

test('a path of a megabyte is refused with a message of at most 300 characters (FUZZ-2)', () => {
  for (const path of ['x001/'.repeat(200_000), `tile/0/${'x001/'.repeat(200_000)}000`, '0'.repeat(2 ** 20)]) {
    assert.throws(
      () => parseTilePath(path),
      (error) => isMalformed(error) && error instanceof Error && error.message.length <= 300,
    );
  }
});
