/** Which tiles and bundles a public store holds. */

import { isSteleError } from '../errors.ts';
import type { ListedObject, ObjectStore } from '../store/index.ts';
import { parseTilePath, type Tile } from '../tiles/index.ts';

export interface ListedTile extends ListedObject {
  readonly tile: Tile;
}

/**
 * Every tile and bundle below `prefix`, in the order of their keys: the partials of a tile follow the full one. Objects
 * that are no tile's are left out: a stranger's file is not ours to judge.
 */
export async function* listTiles(store: ObjectStore, prefix = 'tile/'): AsyncGenerator<ListedTile, void> {
  for await (const object of store.list(prefix)) {
    const tile = parseKey(object.key);
    if (tile !== undefined) yield { ...object, tile };
  }
}

function parseKey(key: string): Tile | undefined {
  try {
    return parseTilePath(key);
  } catch (error) {
    if (isSteleError(error)) return undefined;
    throw error;
  }
}
