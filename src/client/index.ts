/**
 * The reader of a static log: an auditor's side of c2sp.org/tlog-tiles and RFC 6962.
 *
 * `LogReader` turns the plain objects of any store into proven answers: the checkpoint by its signature, and tiles,
 * entries and proofs by the checkpoint's root; it follows a growing log and never lets it go back or fork unnoticed.
 * `fsck` reads a whole log and names every object that is not what the checkpoint commits to. Runs unchanged in a
 * browser: a store is handed in as a value.
 */
export { attempt, examineWeb } from './doctor.ts';
export { judgeClock } from './doctor-checkpoint.ts';
export { type CheckName, type Finding, ok, problem, unchecked, type Verdict, warning } from './doctor-finding.ts';
export type { Answer, Ask, Asked, WebLog } from './doctor-web.ts';
export type { Followed, FollowOptions } from './follow.ts';
export { ForkError } from './fork.ts';
export { type FsckOptions, type FsckProgress, type FsckReport, fsck } from './fsck.ts';
export type { Problem } from './fsck-problems.ts';
export { type BundleRange, type CheckedRange, checkRange } from './fsck-range.ts';
export { type LogEntry, LogReader, type ReaderOptions } from './log-reader.ts';
export { SUCCESSOR_KEY } from './objects.ts';
export { DEFAULT_RETRY, type ReadingOptions, type RetryPolicy } from './reading.ts';
