/**
 * HTTP: a log's public store as static files, for those who do not put it behind a CDN or a web server of their own.
 *
 * Paths, Content-Type and caching follow c2sp.org/tlog-tiles; methods, ranges and conditional requests follow RFC 9110.
 * Nothing here can write, and nothing but the public objects of a log can be named.
 */

export { type ByteRange, parseByteRange } from './byte-range.ts';
export { entityTag } from './entity-tag.ts';
export { isLoopback, type ListenAddress, parseListenAddress } from './listen-address.ts';
export { publicKey } from './log-path.ts';
export { type LogServer, type ServeLogOptions, serveLog } from './serve-log.ts';
