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

/** Entries that a log may have whose sequencer is started by cron, and whether it finds `cache/` from the last time. */
const FROM_CRON = [
  { size: 1_000_000, remembers: true },
  { size: 1_000, remembers: false },
  { size: 100_000, remembers: false },
  { size: 1_000_000, remembers: false },
] as const;
const CRON_S = 60;
/** `dedup.window` unless it is configured: what a start reads the leaf hashes of. */
const WINDOW = 2 ** 20;

/**
 * `stele sequence --once` every minute, with one item of one entry each time. A start asks for log.json, the checkpoint and
 * the journal's end twice each, for the edge and for the tiles of the dedup window unless the cache knows what is in them, and
 * lists the journal; the queue is listed once more when it is empty.
 */
export function monthlyFromCron(size: number, remembers: boolean, options: RequestsOptions): Bill {
  const starts = MONTH_S / CRON_S;
  const window = remembers ? 0 : Math.floor(Math.min(size, WINDOW) / TILE_WIDTH);
  const levels = Math.ceil(Math.log(size) / Math.log(TILE_WIDTH));
  const puts = starts * (4 + 2);
  const lists = starts * 2;
  const gets = starts * (6 + levels + 1 + window + Math.floor(window / TILE_WIDTH) + 2);
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
    const fromCron = FROM_CRON.map(({ size, remembers }) => ({
      size,
      cache: remembers ? 'kept' : 'none',
      ...monthlyFromCron(size, remembers, options),
    }));
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ lines, fromCron })}\n`);
      return;
    }
    process.stdout.write(head('entries', 'queue'));
    for (const { load, way, ...bill } of lines) process.stdout.write(row([load, way], bill));
    process.stdout.write(`\n${head('from cron every minute, entries in the log', '`cache/`')}`);
    for (const { size, cache, ...bill } of fromCron) {
      process.stdout.write(row([size.toLocaleString('en'), cache], bill));
    }
  },
};

const head = (one: string, other: string): string =>
  `| ${one} | ${other} | PUT | LIST | GET | a month |\n|---|---|---:|---:|---:|---:|\n`;

function row(names: readonly string[], { puts, lists, gets, dollars }: Bill): string {
  return `| ${[...names, ...[puts, lists, gets].map(thousands), `$${dollars.toFixed(2)}`].join(' | ')} |\n`;
}

function thousands(count: number): string {
  return `${Math.round(count / 1_000).toLocaleString('en')} k`;
}
