/**
 * log: a log that a program writes to (the library entry `stele`): queue, sequencer and stores put together.
 *
 * The sequencer runs in a thread of its own where that is asked for, and else in the caller's. What it does is
 * the same (DESIGN §5); only who hashes the entries differs: the thread that submits them.
 */

export { createLog, type Log, type LogOptions, openLog } from './log.ts';
