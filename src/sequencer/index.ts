/**
 * sequencer: the writer of a log. It follows DESIGN §5, the commit protocol, which tiles-spec/journal.md describes for
 * readers of the stores: a journal record created at `journal/<size>` commits a batch; tiles, bundles and a signed
 * checkpoint publish it; only then is it acknowledged.
 *
 * Where to start reading: `sequencer.ts` (three stages), `commit.ts` and `publish.ts` (the two steps that cannot be
 * taken back, each with its argument), `load.ts` (when a writer may write at all).
 *
 * Deterministic: store, queue, clock and randomness are handed in. No timer, no `Date`, no network of its own.
 */

export { type CollectReport, type CollectRequest, collectPartials } from './collect-partials.ts';
export { type LogDescription, parseDescription, readDescription } from './description.ts';
export { type InitRequest, type InitResult, initLog } from './init.ts';
export type { OlderEntries } from './older-entries.ts';
export type { Cosign } from './publish.ts';
export type { Publication } from './publisher.ts';
export { relearn } from './recall.ts';
export { type RecoverRequest, type Recovery, recover } from './recover.ts';
export type { Finding } from './recover-plan.ts';
export { type RunReport, Sequencer, type SequencerDependencies, type SequencerEvents } from './sequencer.ts';
export { BUCKET_SETTINGS, checkSettings, DIRECTORY_SETTINGS, type SequencerSettings } from './settings.ts';
