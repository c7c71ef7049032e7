#!/usr/bin/env node
// The launcher: plain JavaScript, because Node strips no types inside an installed package, and because an older Node
// has to get as far as the message below. The command itself is src/cli.
import { existsSync } from 'node:fs';

// Many flushes in flight are what makes a directory fast (DESIGN §4); libuv reads this when its first thread starts.
process.env.UV_THREADPOOL_SIZE ??= '16';

const needed = 24;
if (Number.parseInt(process.versions.node, 10) < needed) {
  console.error(`stele needs Node.js ${needed} or later, this is ${process.version} (${process.execPath})`);
  process.exit(2);
}

const source = new URL('../src/cli/main.ts', import.meta.url);
const installed = source.pathname.includes('/node_modules/') || !existsSync(source);
const { main } = await import(installed ? '../dist/cli/main.js' : source.href);
process.exitCode = await main(process.argv.slice(2));
