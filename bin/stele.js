#!/usr/bin/env node
// The launcher: plain JavaScript, because Node strips no types inside an installed package, and because an older Node
// has to get as far as the message below. The command itself is src/cli.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Many flushes in flight are what makes a directory fast (DESIGN §4); libuv reads this when its first thread starts.
process.env.UV_THREADPOOL_SIZE ??= '16';

const needed = 24;
if (Number.parseInt(process.versions.node, 10) < needed) {
  console.error(`stele needs Node.js ${needed} or later, this is ${process.version} (${process.execPath})`);
  process.exit(2);
}

// Compiled code is kept for the next start, which then takes half the time. In a folder of the user's own: whoever could
// write there could run code as this user. The variable is for threads; where the folder cannot be made, nothing is kept.
process.env.NODE_COMPILE_CACHE ??= join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'stele', 'compiled');
module.enableCompileCache(process.env.NODE_COMPILE_CACHE);

const source = new URL('../src/cli/main.ts', import.meta.url);
const installed = source.pathname.includes('/node_modules/') || !existsSync(source);
const { main } = await import(installed ? '../dist/cli/main.js' : source.href);
process.exitCode = await main(process.argv.slice(2));
