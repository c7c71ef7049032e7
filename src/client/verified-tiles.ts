/**
 * Tiles that are proven before anyone sees them.
 *
 * The checkpoint's root proves the partial tiles (see right-edge.ts). A full tile is proven by its parent: it is right
 * if its hashes make the one hash that the parent has for it. So every tile is reached from the right edge down, and
 * what is not proven is neither returned nor kept.
 */
import { SteleError } from '../errors.ts';
import { equalBytes, foldNodes, HASH_SIZE, type Hash, type Node, type Range, rangeNodes } from '../merkle/index.ts';
import type { Checkpoint } from '../note/index.ts';
import { TILE_WIDTH, type Tile, tileOfNode, tilePath } from '../tiles/index.ts';
import { getHashTile } from './objects.ts';
import { type Reading, retrying } from './reading.ts';
import { type RightEdge, readRightEdge } from './right-edge.ts';
import { nodeIn, type TileNodes, tileNodes } from './tile-nodes.ts';

/** Tree levels between one level of tiles and the next: 256 = 2^8. */
const TILE_HEIGHT = 8;

/** Right edges kept: the current checkpoint, the one before it, and two that someone asks about. At most 112 KiB each. */
const KEPT_EDGES = 4;

interface ProvenTile {
  readonly nodes: TileNodes;
  /** What they were proven against: the same path may be proven under two checkpoints of a forked log. */
  readonly root: Hash;
}

interface ProvenEdge {
  readonly checkpoint: Checkpoint;
  readonly edge: Promise<RightEdge>;
}

export class VerifiedTiles {
  readonly #reading: Reading;
  readonly #maxTiles: number;
  /** Full tiles by path, the least recently used first. */
  readonly #tiles = new Map<string, ProvenTile>();
  /** Full tiles being read, so that one that many ask for at a time is read once. */
  readonly #underWay = new Map<string, Promise<ProvenTile>>();
  #edges: ProvenEdge[] = [];

  /** Keeps up to `maxTiles` full tiles, 16 KiB each with their inner nodes. */
  constructor(reading: Reading, maxTiles: number) {
    this.#reading = reading;
    this.#maxTiles = maxTiles;
  }

  /** MTH(D[start:end]) of the checkpoint's tree. */
  async rangeHash({ start, end }: Range, checkpoint: Checkpoint): Promise<Hash> {
    return foldNodes(await Promise.all(rangeNodes(start, end).map((node) => this.nodeHash(node, checkpoint))));
  }

  async nodeHash(node: Node, checkpoint: Checkpoint): Promise<Hash> {
    const { tile, start, end } = tileOfNode(node, checkpoint.size);
    return nodeIn(await this.#nodes(tile, checkpoint), start, end);
  }

  /** The packed hashes of a tile of the checkpoint's tree, as wide as that tree has it. */
  async hashes(tile: Tile, checkpoint: Checkpoint): Promise<Uint8Array> {
    const [hashes] = await this.#nodes(tile, checkpoint);
    return hashes;
  }

  async #nodes(tile: Tile, checkpoint: Checkpoint): Promise<TileNodes> {
    if (tile.width < TILE_WIDTH) {
      const nodes = (await this.#edge(checkpoint)).get(tile.level);
      if (nodes?.[0].length === HASH_SIZE * tile.width) return nodes;
      throw new SteleError('not-found', `a tree of size ${checkpoint.size} has no ${tilePath(tile)}`);
    }
    return this.#fullTile(tile, checkpoint);
  }

  async #fullTile(tile: Tile, checkpoint: Checkpoint): Promise<TileNodes> {
    const path = tilePath(tile);
    const expected = this.nodeHash({ level: TILE_HEIGHT * (Number(tile.level) + 1), index: tile.n }, checkpoint);
    const kept = this.#tiles.get(path);
    if (kept && equalBytes(kept.root, await expected)) {
      this.#keep(path, kept);
      return kept.nodes;
    }
    const shared = this.#underWay.get(path);
    if (shared) {
      const [proven, root] = await Promise.all([shared, expected]);
      if (equalBytes(proven.root, root)) return proven.nodes;
    }
    const reading = this.#read(tile, expected).finally(() => this.#underWay.delete(path));
    this.#underWay.set(path, reading);
    const proven = await reading;
    this.#keep(path, proven);
    return proven.nodes;
  }

  async #read(tile: Tile, expected: Promise<Hash>): Promise<ProvenTile> {
    // Asked for while its parents are, which saves a round trip a level; looked at only when they are proven.
    const early = getHashTile(this.#reading, tile);
    early.catch(() => {});
    const root = await expected;
    return retrying(this.#reading, async (n) => {
      const hashes = n === 1 ? await early : await getHashTile(this.#reading, tile);
      const nodes = tileNodes(hashes);
      if (!equalBytes(nodeIn(nodes, 0, TILE_WIDTH), root)) {
        const start = tile.n * TILE_WIDTH ** (Number(tile.level) + 1);
        const entries = `entries ${start} to ${start + TILE_WIDTH ** (Number(tile.level) + 1) - 1}`;
        const { url } = this.#reading.store;
        throw new SteleError(
          'corrupt',
          `${tilePath(tile)} of ${url} is not what the checkpoint commits to for ${entries}`,
        );
      }
      return { nodes, root };
    });
  }

  #keep(path: string, tile: ProvenTile): void {
    this.#tiles.delete(path);
    this.#tiles.set(path, tile);
    for (const oldest of this.#tiles.keys()) {
      if (this.#tiles.size <= this.#maxTiles) return;
      this.#tiles.delete(oldest);
    }
  }

  #edge(checkpoint: Checkpoint): Promise<RightEdge> {
    const same = (other: Checkpoint) => other.size === checkpoint.size && equalBytes(other.root, checkpoint.root);
    const kept = this.#edges.find((proven) => same(proven.checkpoint));
    const edge = kept?.edge ?? readRightEdge(this.#reading, checkpoint);
    const others = this.#edges.filter((proven) => proven !== kept);
    const proven = kept ?? { checkpoint, edge };
    this.#edges = [proven, ...others].slice(0, KEPT_EDGES);
    // One that could not be proven is asked for again the next time.
    edge.catch(() => {
      this.#edges = this.#edges.filter((other) => other !== proven);
    });
    return edge;
  }
}
