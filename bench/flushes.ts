/**
 * Counts flushes: the calls of fsync and fdatasync, which is how a directory store makes its writes durable. Imported
 * first by main.ts, and without a top-level await: a module that keeps `fs.fsync` in a constant has to find this one.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

let flushes = 0;

/** How many flushes this process has asked for so far. */
export function flushCount(): number {
  return flushes;
}

const { fsync, fdatasync } = fs;

fs.fsync = Object.assign((...args: Parameters<typeof fsync>) => {
  flushes += 1;
  fsync(...args);
}, fsync);

fs.fdatasync = Object.assign((...args: Parameters<typeof fdatasync>) => {
  flushes += 1;
  fdatasync(...args);
}, fdatasync);

syncBuiltinESMExports();
