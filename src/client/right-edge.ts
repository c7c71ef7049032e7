/**
 * The right edge of a tree: its partial tiles, the only ones that no other tile has the hash of.
 *
 * A tree of size s is a row of complete subtrees, its peaks; folded from the right they make the root. The hashes of
 * the partial tiles are exactly the leaves of those peaks, so a right edge whose peaks fold to the root of a signed
 * checkpoint is right in every hash.
 */
import { SteleError } from '../errors.ts';
import { equalBytes, foldNodes, type Hash, rangeNodes } from '../merkle/index.ts';
import type { Checkpoint } from '../note/index.ts';
import { edgeTiles, type Tile, tileOfNode, tilePath } from '../tiles/index.ts';
import { getHashTile } from './objects.ts';
import { type Reading, retrying } from './reading.ts';
import { nodeIn, type TileNodes, tileNodes } from './tile-nodes.ts';

/** The nodes of a tree's partial tiles, by level, verified against the checkpoint. */
export type RightEdge = ReadonlyMap<Tile['level'], TileNodes>;

/** The root that the partial tiles make. */
function rootOfEdge(size: number, edge: RightEdge): Hash {
  const peaks = rangeNodes(0, size).map((node) => {
    const { tile, start, end } = tileOfNode(node, size);
    return nodeIn(edge.get(tile.level) ?? NOTHING, start, end);
  });
  return foldNodes(peaks);
}

const NOTHING = tileNodes(new Uint8Array());

/** Reads and verifies the right edge. Throws `corrupt`, naming its tiles, when they do not make the root. */
export async function readRightEdge(reading: Reading, checkpoint: Checkpoint): Promise<RightEdge> {
  const tiles = edgeTiles(checkpoint.size);
  return retrying(reading, async () => {
    const edge: RightEdge = new Map(
      await Promise.all(tiles.map(async (tile) => [tile.level, tileNodes(await getHashTile(reading, tile))] as const)),
    );
    const root = rootOfEdge(checkpoint.size, edge);
    if (!equalBytes(root, checkpoint.root)) {
      const names =
        tiles.length === 0 ? 'an empty tree does' : `${tiles.map(tilePath).join(', ')} of ${reading.store.url} do`;
      throw new SteleError('corrupt', `${names} not make the root of the checkpoint of size ${checkpoint.size}`);
    }
    return edge;
  });
}
