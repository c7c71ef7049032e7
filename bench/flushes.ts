/**
 * Counts flushes: the calls of fsync and fdatasync, which is how a directory store makes its writes durable. Imported
 * first by main.ts, and without a top-level await: a module that keeps `fs.fsync` in a constant has to find this one.
 * The thread of a log preloads it like any other instrumentation, and counts in the same place.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

if (isMainThread) {
  setEnvironmentData(import.meta.url, new Int32Array(new SharedArrayBuffer(4)));
  process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --import=${import.meta.url}`;
}
const count = getEnvironmentData(import.meta.url) as unknown as Int32Array;

/** How many flushes this process has asked for so far. */
export function flushCount(): number {
  return Atomics.load(count, 0);
}

const { fsync, fdatasync } = fs;

fs.fsync = Object.assign((...args: Parameters<typeof fsync>) => {
  Atomics.add(count, 0, 1);
  fsync(...args);
}, fsync);

fs.fdatasync = Object.assign((...args: Parameters<typeof fdatasync>) => {
  Atomics.add(count, 0, 1);
  fdatasync(...args);
}, fdatasync);

syncBuiltinESMExports();
