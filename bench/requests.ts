/**
 * What a log in a bucket costs a month, by how much comes in. The counts are those that test/sequencer/bucket-cost.test.ts
 * holds the writer to; this only multiplies them.
 */

import type { CommandModule } from 'yargs';

const MONTH_S = 30 * 86_400;
const TILE_WIDTH = 256;

/** What comes in, and how. */
interface Load {
  readonly name: string;
  /** Entries a second. */
  readonly rate: number;
}

interface RequestsOptions {
  readonly poll: number;
  readonly interval: number;
  readonly priceWrite: number;
  readonly priceRead: number;
  readonly json: boolean;
}

interface Bill {
  readonly puts: number;
  readonly lists: number;
  readonly gets: number;
  readonly dollars: number;
}

const LOADS: readonly Load[] = [
  { name: '1 a minute', rate: 1 / 60 },
  { name: '1 a second', rate: 1 },
  { name: '100 a second', rate: 100 },
];

/** The ways in: a queue in the bucket with so many entries an item, or a queue in the sequencer's own process. */
const WAYS = [
  { name: 'bucket queue, an item for each entry', perItem: 1 },
  { name: 'bucket queue, items of 100 entries', perItem: 100 },
  { name: 'in-process queue', perItem: undefined },
] as const;

/**
 * Requests a month. With a bucket queue there is one list a poll, and what it finds is committed and published together;
 * otherwise a publication at most every interval. An item costs a PUT, a GET and the PUT of its receipt; a publication
 * the PUTs of journal, tile, bundle and checkpoint, and a GET; whole bundles two more each, the tile above them one.
 */
export function monthly(rate: number, perItem: number | undefined, options: RequestsOptions): Bill {
  const items = perItem === undefined ? 0 : rate / perItem;
  const arrivals = perItem === undefined ? rate : items;
  const publications = Math.min(arrivals, 1 / (perItem === undefined ? options.interval : options.poll));
  const bundles = rate / publications / TILE_WIDTH; // per publication
  const puts = MONTH_S * (2 * items + publications * (4 + 2 * bundles + Math.min(1, bundles)));
  const lists = perItem === undefined ? 0 : MONTH_S / options.poll;
  const gets = MONTH_S * (items + publications);
  const dollars = ((puts + lists) * options.priceWrite + gets * options.priceRead) / 1_000;
  return { puts, lists, gets, dollars };
}

export const requestsCommand: CommandModule<object, RequestsOptions> = {
  command: 'requests',
  describe: 'What a log in a bucket costs a month: requests, and money at list prices (computed, not measured)',
  builder: {
    poll: { type: 'number', default: 5, describe: 'queue.poll, in seconds' },
    interval: { type: 'number', default: 1, describe: 'publish.interval, in seconds' },
    'price-write': { type: 'number', default: 0.005, describe: 'Dollars for 1,000 PUT or LIST requests' },
    'price-read': { type: 'number', default: 0.0004, describe: 'Dollars for 1,000 GET requests' },
    json: { type: 'boolean', default: false, describe: 'One JSON object on the last line' },
  },
  handler(options) {
    const lines = LOADS.flatMap((load) =>
      WAYS.map((way) => ({ load: load.name, way: way.name, ...monthly(load.rate, way.perItem, options) })),
    );
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ lines })}\n`);
      return;
    }
    process.stdout.write('| entries | queue | PUT | LIST | GET | a month |\n|---|---|---:|---:|---:|---:|\n');
    for (const { load, way, puts, lists, gets, dollars } of lines) {
      const cells = [load, way, thousands(puts), thousands(lists), thousands(gets), `$${dollars.toFixed(2)}`];
      process.stdout.write(`| ${cells.join(' | ')} |\n`);
    }
  },
};

function thousands(count: number): string {
  return `${Math.round(count / 1_000).toLocaleString('en')} k`;
}
