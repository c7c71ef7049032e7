/** `stele/client`: read a log and check everything it says, in Node or in a browser. */

export * from './client/index.ts';
export { type ErrorCode, isSteleError, SteleError } from './errors.ts';
export { parseVerifierKey, type SignedCheckpoint, type Verifier } from './note/index.ts';
export { type HttpOptions, openHttp } from './store/http.ts';
export type { ReadableStore } from './store/types.ts';
