import { setTimeout } from 'node:timers/promises';
import type { CommandModule } from 'yargs';
import { PLACE_OPTIONS, type PlaceOptions, withBenchLog } from './bench-log.ts';
import { makeEntries } from './entries.ts';
import { percentile, printFigures } from './figures.ts';
import { flushCount } from './flushes.ts';

interface LatencyOptions extends PlaceOptions {
  readonly entries: number;
  readonly bytes: number;
  readonly fill: number;
  readonly pause: number;
  readonly interval: number;
  readonly seed: number;
  readonly json: boolean;
}

export const latencyCommand: CommandModule<object, LatencyOptions> = {
  command: 'latency',
  describe: 'One entry at a time on an idle log: from append to its answer, that is to a published checkpoint',
  builder: {
    entries: { type: 'number', default: 500, describe: 'Number of entries to time' },
    bytes: { type: 'number', default: 1_024, describe: 'Bytes of each entry' },
    fill: { type: 'number', default: 10_000, describe: 'Entries that the log has before' },
    pause: { type: 'number', default: 10, describe: 'Milliseconds between an answer and the next entry' },
    interval: { type: 'number', default: 0, describe: 'Least milliseconds between publications' },
    seed: { type: 'number', default: 1, describe: 'Seed of the entries' },
    json: { type: 'boolean', default: false, describe: 'One JSON object on the last line' },
    ...PLACE_OPTIONS,
  },
  async handler(options) {
    const entries = makeEntries(options.fill + options.entries, options.bytes, options.seed);
    const { value } = await withBenchLog(
      options,
      { entries: entries.length, settings: { publishIntervalMs: options.interval } },
      async ({ log, written }) => {
        await log.appendAll(entries.slice(0, options.fill));
        const before = { ...written, flushes: flushCount() };
        const latencies: number[] = [];
        for (const entry of entries.slice(options.fill)) {
          await setTimeout(options.pause);
          const start = performance.now();
          await log.append(entry);
          latencies.push(performance.now() - start);
        }
        return {
          latencies,
          objectsPerEntry: (written.objects - before.objects) / options.entries,
          flushesPerEntry: (flushCount() - before.flushes) / options.entries,
        };
      },
    );
    const { latencies, objectsPerEntry, flushesPerEntry } = value;
    const figures = {
      entries: options.entries,
      bytes: options.bytes,
      publishIntervalMs: options.interval,
      p50Ms: percentile(latencies, 50),
      p90Ms: percentile(latencies, 90),
      p99Ms: percentile(latencies, 99),
      maxMs: percentile(latencies, 100),
      objectsPerEntry,
      flushesPerEntry,
    };
    printFigures(`latency: one entry of ${options.bytes} bytes at a time`, figures, options.json);
  },
};
