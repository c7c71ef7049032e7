/** As bin/stele.js does: many flushes in flight are what makes a directory fast, and libuv's default lets four. */

const { UV_THREADPOOL_SIZE = '16' } = process.env;
Object.assign(process.env, { UV_THREADPOOL_SIZE });
