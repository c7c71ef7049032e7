/**
 * Stele as a library: open a log and append to it from a program.
 *
 * ```ts
 * await using log = await openLog({ publicStore: 'file:///srv/log/public', privateStore: 'file:///srv/log/private', key });
 * const { index } = await log.append(new TextEncoder().encode('an entry'));
 * ```
 *
 * Reading and verifying need none of this: `stele/client` follows a log over HTTP, `stele/verify` checks a proof offline,
 * both in a browser too.
 */

export type { Clock } from './clock.ts';
export { BusyError, type ErrorCode, isSteleError, SteleError } from './errors.ts';
export { createLog, type Log, type LogOptions, openLog } from './log/index.ts';
export { generateKey, type SignedCheckpoint } from './note/index.ts';
export type { Accepted } from './queue/index.ts';
export type { RunReport, SequencerEvents, SequencerSettings } from './sequencer/index.ts';
export { type ObjectStore, openStore } from './store/index.ts';
