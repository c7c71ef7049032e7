import { hash } from 'node:crypto';
import type { CommandModule } from 'yargs';
import { hashLeaves } from '../src/merkle/index.ts';
import { TileEdge } from '../src/tiles/index.ts';
import { makeEntryBytes } from './entries.ts';
import { printFigures } from './figures.ts';

/** Leaves that are hashed and appended at a time: a batch of a busy log. */
const BATCH_LEAVES = 4_096;

/** After this many leaves the tree so far counts as published, and its full tiles are let go. */
const PUBLICATION_LEAVES = 16 * BATCH_LEAVES;

/** Larger leaves are so many as fill this many bytes. */
const MAX_BYTES = 512 * 1024 * 1024;

const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

interface TreeOptions {
  readonly leaves: number;
  readonly bytes: readonly number[];
  readonly seed: number;
  readonly json: boolean;
}

export const treeCommand: CommandModule<object, TreeOptions> = {
  command: 'tree',
  describe: 'Leaves per second through leaf hashing and the tile edge, in memory',
  builder: {
    leaves: {
      type: 'number',
      default: 4_000_000,
      describe: 'Number of leaves; of large ones, as many as fill 512 MiB',
    },
    bytes: { type: 'array', number: true, default: [32], describe: 'Bytes of each leaf; several for a table' },
    seed: { type: 'number', default: 1, describe: 'Seed of the leaves' },
    json: { type: 'boolean', default: false, describe: 'One JSON object per size' },
  },
  handler(options) {
    for (const size of options.bytes) {
      const leaves = Math.min(options.leaves, Math.floor(MAX_BYTES / Math.max(1, size)));
      const bytes = makeEntryBytes(leaves, size, options.seed);
      const start = performance.now();
      const root = buildTree(bytes, leaves, size);
      const seconds = (performance.now() - start) / 1000;
      const expected = plainRoot(bytes, size, 0, leaves);
      if (!expected.equals(root)) {
        throw new Error(
          `The tree of ${leaves} leaves has the root ${Buffer.from(root).toString('hex')}, which is wrong`,
        );
      }
      const figures = {
        leaves,
        bytes: size,
        seconds,
        leavesPerSecond: leaves / seconds,
        root: expected.toString('base64'),
      };
      printFigures(`tree: ${leaves.toLocaleString('en-US')} leaves of ${size} bytes`, figures, options.json);
    }
  },
};

/** What is measured: batch by batch, as the sequencer does it. */
function buildTree(bytes: Uint8Array, leaves: number, size: number): Uint8Array {
  const edge = TileEdge.empty();
  const spans = Uint32Array.from({ length: 2 * BATCH_LEAVES }, (_, i) => Math.ceil(i / 2) * size);
  for (let first = 0; first < leaves; first += BATCH_LEAVES) {
    const count = Math.min(BATCH_LEAVES, leaves - first);
    const batch = bytes.subarray(first * size, (first + count) * size);
    edge.append(hashLeaves(batch, spans.subarray(0, 2 * count)));
    if (edge.size % PUBLICATION_LEAVES === 0) {
      edge.release(edge.size);
    }
  }
  return edge.root();
}

/** The root of leaves `start` to `end` by the definition, RFC 6962, section 2.1, and by another SHA-256. */
function plainRoot(bytes: Uint8Array, size: number, start: number, end: number): Buffer {
  if (end - start === 1) {
    return hash('sha256', Buffer.concat([LEAF_PREFIX, bytes.subarray(start * size, end * size)]), 'buffer');
  }
  let split = 1;
  while (split * 2 < end - start) {
    split *= 2;
  }
  const left = plainRoot(bytes, size, start, start + split);
  const right = plainRoot(bytes, size, start + split, end);
  return hash('sha256', Buffer.concat([NODE_PREFIX, left, right]), 'buffer');
}
