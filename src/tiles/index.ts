/**
 * tiles: how a log is cut into static files, after c2sp.org/tlog-tiles (rules TILES-5 to TILES-15).
 *
 * Coordinates and paths of tiles, entry bundles, which tiles a size implies and a growth makes new, where a node's
 * hash is found, and the writer's right edge. Nothing here reads or writes: what must exist is data, computed from
 * sizes; one loop elsewhere writes it. Sizes and indices are exact up to 2^53−1.
 */

export {
  type EntryRun,
  encodeBundle,
  encodeRun,
  entriesOf,
  type HashedRun,
  hashedRun,
  joinRuns,
  MAX_BUNDLE_SIZE,
  MAX_ENTRY_SIZE,
  parseBundle,
  parseRun,
  sizeOf,
  sliceRun,
} from './bundle.ts';
export { checkSize, countOn, edgeTiles, growth, impliedTiles, isSuperseded, levelCount, tileWidth } from './growth.ts';
export { type TileSlice, tileOfNode } from './node.ts';
export { MAX_LEVEL, parseTilePath, TILE_WIDTH, type Tile, tilePath } from './tile.ts';
export { TileEdge } from './tile-edge.ts';
