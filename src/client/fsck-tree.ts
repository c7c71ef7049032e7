/**
 * The part of fsck above the entries: tiles of level 1 and up, walked down to know what the checkpoint commits to, and
 * filled from below with what the entries make.
 */
import { SteleError } from '../errors.ts';
import { equalBytes, HASH_SIZE, rootOf } from '../merkle/index.ts';
import type { Checkpoint } from '../note/index.ts';
import { edgeTiles, TILE_WIDTH, type Tile, tilePath } from '../tiles/index.ts';
import { type ProblemList, problemOf } from './fsck-problems.ts';
import type { BundleRange } from './fsck-range.ts';
import { getHashTile } from './objects.ts';
import { type Reading, retrying } from './reading.ts';
import { readRightEdge } from './right-edge.ts';

/** A tile of which not everything below has been seen yet. */
export interface OpenTile {
  readonly tile: Tile;
  readonly level: number;
  /** Its hashes as stored; undefined when it could not be read. */
  readonly stored: Uint8Array | undefined;
  /** Proven by the checkpoint; proven wrong by it; or nothing proven, for something above is bad. */
  readonly standing: 'proven' | 'refuted' | 'unknown';
  /** Where its own hash belongs; undefined for a partial tile, which has none. */
  readonly above: { readonly open: OpenTile; readonly place: number } | undefined;
  /** The hashes that the entries make, as far as `known` is 1. */
  readonly made: Uint8Array;
  readonly known: Uint8Array;
  /** Hashes still to come. */
  pending: number;
}

/** Reads the partial tiles of all levels, highest first, and says whether the checkpoint proves them. */
export async function openEdge(reading: Reading, checkpoint: Checkpoint, problems: ProblemList): Promise<OpenTile[]> {
  const tiles = edgeTiles(checkpoint.size).reverse();
  const proven = await readRightEdge(reading, checkpoint).catch((error) => {
    problemOf('checkpoint', error); // lets pass what a bad object can cause: which one it is shows below
    return undefined;
  });
  if (proven) return tiles.map((tile) => openTile(tile, proven.get(tile.level)?.[0], 'proven', undefined));
  return Promise.all(tiles.map((tile) => readTile(reading, tile, undefined, problems)));
}

/** A range of bundles, and the level-1 tile that is to be filled with what they make. */
export interface Step {
  readonly range: BundleRange;
  readonly open: OpenTile;
}

/** Walks down from a tile, from left to right, reading each full tile once and holding one per level. */
export async function* walk(reading: Reading, open: OpenTile, problems: ProblemList): AsyncGenerator<Step, void> {
  const first = open.tile.n * TILE_WIDTH;
  if (open.level === 1) {
    const range = { firstBundle: first, endBundle: first + open.tile.width, proven: open.standing === 'proven' };
    yield { range: open.stored ? { ...range, expected: open.stored } : range, open };
    return;
  }
  for (let place = 0; place < open.tile.width; place++) {
    const child: Tile = { level: open.level - 1, n: first + place, width: TILE_WIDTH };
    yield* walk(reading, await readTile(reading, child, { open, place }, problems), problems);
  }
}

/** Enters what the entries below `open` make, and when it is full judges it and goes on with the tile above. */
export function fill(open: OpenTile, place: number, made: Uint8Array, known: Uint8Array, problems: ProblemList): void {
  open.made.set(made, HASH_SIZE * place);
  open.known.set(known, place);
  open.pending -= known.length;
  if (open.pending > 0) return;
  judgeTile(open, problems);
  if (open.above) {
    const complete = !open.known.includes(0);
    const root = complete ? rootOf(open.made) : new Uint8Array(HASH_SIZE);
    fill(open.above.open, open.above.place, root, Uint8Array.of(complete ? 1 : 0), problems);
  }
}

function judgeTile({ tile, level, stored, standing, made, known }: OpenTile, problems: ProblemList): void {
  if (!stored || standing === 'proven') return;
  const key = tilePath(tile);
  const place = firstKnownDifference(stored, made, known);
  if (place >= 0) {
    const span = TILE_WIDTH ** level;
    const start = (tile.n * TILE_WIDTH + place) * span;
    const problem = `hash ${place} is not the one that entries ${start} to ${start + span - 1} make`;
    problems.add({ key, kind: 'corrupt', problem });
  } else if (standing === 'refuted') {
    problems.add({ key, kind: 'corrupt', problem: 'its hashes do not make the one that the tile above has for them' });
  } else if (known.includes(0)) {
    const problem = 'its hashes cannot be proven, for objects above and below are bad';
    problems.add({ key, kind: 'unproven', problem });
  }
}

function firstKnownDifference(stored: Uint8Array, made: Uint8Array, known: Uint8Array): number {
  return known.findIndex((isKnown, place) => {
    const [start, end] = [HASH_SIZE * place, HASH_SIZE * (place + 1)];
    return isKnown === 1 && !equalBytes(stored.subarray(start, end), made.subarray(start, end));
  });
}

async function readTile(
  reading: Reading,
  tile: Tile,
  above: OpenTile['above'],
  problems: ProblemList,
): Promise<OpenTile> {
  const claimed = above?.open.stored?.subarray(HASH_SIZE * above.place, HASH_SIZE * (above.place + 1));
  const expected = above?.open.standing === 'proven' ? claimed : undefined;
  let refuted: Uint8Array | undefined;
  try {
    const stored = await retrying(reading, async () => {
      const hashes = await getHashTile(reading, tile);
      if (expected && !equalBytes(rootOf(hashes), expected)) {
        refuted = hashes;
        throw new SteleError('corrupt', `${tilePath(tile)} is not what the checkpoint commits to`);
      }
      return hashes;
    });
    return openTile(tile, stored, expected ? 'proven' : 'unknown', above);
  } catch (error) {
    const problem = problemOf(tilePath(tile), error);
    if (refuted) return openTile(tile, refuted, 'refuted', above);
    problems.add(problem);
    return openTile(tile, undefined, 'unknown', above);
  }
}

function openTile(
  tile: Tile,
  stored: Uint8Array | undefined,
  standing: OpenTile['standing'],
  above: OpenTile['above'],
): OpenTile {
  const { width } = tile;
  const made = new Uint8Array(HASH_SIZE * width);
  return {
    tile,
    level: Number(tile.level),
    stored,
    standing,
    above,
    made,
    known: new Uint8Array(width),
    pending: width,
  };
}
