import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashLeaves } from '../../src/merkle/index.ts';
import {
  encodeBundle,
  entriesOf,
  growth,
  impliedTiles,
  parseBundle,
  type Tile,
  TileEdge,
  tilePath,
} from '../../src/tiles/index.ts';
import { hex, leafEntry, readJson, readVector, sha256, toBase64 } from './model.ts';

interface TreeVector {
  name: string;
  folder: string;
  manifest: string;
  size: number;
  root: string;
  objectsIn: 'folder' | 'manifest';
  checkpointSha256: string;
}

interface GrowthSequence {
  id: string;
  steps: { from: number; to: number; root: string; written: { path: string; sha256: string }[] }[];
}

/** "entry i has n = (31*i*i + 7*i) mod 97 bytes, except i = 511, which has 65535; byte j is (i + 3*j) mod 256" */
function variedEntry(i: number): Uint8Array {
  const length = i === 511 ? 65_535 : (31 * i * i + 7 * i) % 97;
  return Uint8Array.from({ length }, (_, j) => (i + 3 * j) % 256);
}

const entryRules: Record<string, (i: number) => Uint8Array> = { 'tree-700-varied': variedEntry };

function bundleBytes(tile: Tile, entry: (i: number) => Uint8Array): Uint8Array {
  return encodeBundle(Array.from({ length: tile.width }, (_, i) => entry(tile.n * 256 + i)));
}

/** Appends entries up to `to` by way of bundle encoding, as a writer does. */
function appendEntries(edge: TileEdge, to: number, entry: (i: number) => Uint8Array): void {
  const first = edge.size;
  const payload = encodeBundle(Array.from({ length: to - first }, (_, i) => entry(first + i)));
  edge.append(hashLeaves(payload, parseBundle(payload, to - first)));
}

for (const { name, folder, manifest, size, root, objectsIn, checkpointSha256 } of readJson<{ trees: TreeVector[] }>(
  'trees.json',
).trees) {
  test(`${name}, built in batches, has the objects and the root that Go wrote (TILES-8, TILES-9, TILES-15)`, () => {
    const entry = entryRules[name] ?? leafEntry;
    const edge = TileEdge.empty();
    while (edge.size < size) appendEntries(edge, Math.min(size, edge.size + 4_096 + 77), entry);
    const built = Array.from(impliedTiles(size), (tile) => {
      const bytes = tile.level === 'entries' ? bundleBytes(tile, entry) : edge.tileBytes(tile);
      if (objectsIn === 'folder') assert.deepEqual(bytes, readVector(`${folder}/${tilePath(tile)}`), tilePath(tile));
      return { path: tilePath(tile), bytes: bytes.length, sha256: hex(sha256(bytes)) };
    });
    const { objects } = readJson<{ objects: typeof built }>(manifest);
    assert.deepEqual(built.toSorted(byPath), objects.toSorted(byPath));

    const checkpoint = readVector(`${folder}/checkpoint`);
    assert.equal(hex(sha256(checkpoint)), checkpointSha256);
    const [, sizeLine, rootLine] = new TextDecoder().decode(checkpoint).split('\n');
    assert.deepEqual([String(edge.size), toBase64(edge.root())], [sizeLine, rootLine]);
    assert.equal(rootLine, root);
  });

  if (objectsIn === 'folder') {
    test(`the bundles of ${name}, as Go wrote them, hash to the tiles beside them (TILES-15)`, () => {
      for (const tile of impliedTiles(size)) {
        if (tile.level !== 'entries') continue;
        const bytes = readVector(`${folder}/${tilePath(tile)}`);
        const spans = parseBundle(bytes, tile.width);
        assert.deepEqual(hashLeaves(bytes, spans), readVector(`${folder}/${tilePath({ ...tile, level: 0 })}`));
        assert.deepEqual(encodeBundle(entriesOf({ bytes, spans })), bytes);
      }
    });
  }
}

for (const { id, steps } of readJson<{ sequences: GrowthSequence[] }>('growth.json').sequences) {
  test(`growth sequence ${id} writes the bytes and has the roots that Go computed (TILES-9, TILES-11)`, () => {
    // One writer releases at every checkpoint, one never does, one starts anew from the edge tiles each time.
    const releasing = TileEdge.empty();
    const keeping = TileEdge.empty();
    for (const { from, to, root, written } of steps) {
      const { tiles, bundles } = growth(from, to);
      appendEntries(keeping, to, leafEntry);
      appendEntries(releasing, to, leafEntry);
      const loaded = TileEdge.load(from, (tile) => keeping.tileBytes(tile));
      appendEntries(loaded, to, leafEntry);
      const expected = new Map(written.map(({ path, sha256 }) => [path, sha256]));
      for (const edge of [releasing, keeping, loaded]) {
        assert.equal(toBase64(edge.root()), root, `root of ${to}`);
        for (const tile of tiles)
          assert.equal(hex(sha256(edge.tileBytes(tile))), expected.get(tilePath(tile)), tilePath(tile));
      }
      for (const tile of bundles) {
        assert.equal(hex(sha256(bundleBytes(tile, leafEntry))), expected.get(tilePath(tile)), tilePath(tile));
      }
      assert.equal(tiles.length + bundles.length, written.length);
      releasing.release(to);
    }
  });
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : 1;
}
