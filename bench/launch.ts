/** As bin/stele.js does, which see: a thread pool for many flushes at a time, and compiled code kept for threads. */

import { homedir } from 'node:os';
import { join } from 'node:path';

const { UV_THREADPOOL_SIZE = '16', XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env;
const { NODE_COMPILE_CACHE = join(XDG_CACHE_HOME, 'stele', 'compiled') } = process.env;
Object.assign(process.env, { UV_THREADPOOL_SIZE, NODE_COMPILE_CACHE });
