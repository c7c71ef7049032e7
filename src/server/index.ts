/**
 * HTTP: a log's public store as static files, and the REST interface of Rekor v2 that takes entries
 * (tiles-spec/rest.md). For those who do not put the files behind a CDN or a web server of their own, and for all who submit.
 *
 * Paths, Content-Type and caching of the files follow c2sp.org/tlog-tiles; methods, ranges and conditional requests RFC
 * 9110; requests, answers and errors those of sigstore's rekor-tiles.
 */

export { type ByteRange, parseByteRange } from './byte-range.ts';
export { entityTag } from './entity-tag.ts';
export { submitEntry } from './entries.ts';
export type { EntriesService } from './entries-route.ts';
export { isLoopback, type ListenAddress, parseListenAddress } from './listen-address.ts';
export type { Metrics } from './metrics.ts';
export { openApiDocument } from './openapi.ts';
export { Prover } from './prover.ts';
export { API_PATHS, routeOf } from './routes.ts';
export { type AnsweredRequest, type LogServer, type ServeLogOptions, serveLog } from './serve-log.ts';
export { type ServeStatusOptions, type StatusServer, serveStatus } from './status.ts';
export { parseTokens, type Tokens } from './tokens.ts';
export type { Writing } from './writing.ts';
