/** Every verb, the line that it takes, and where it is. A verb's code is loaded only when it is named. */

import type { Verb } from './verb.ts';

export interface VerbEntry {
  /** In the notation of yargs: `<needed>`, `[optional]`, `..` repeated. */
  readonly line: string;
  readonly describe: string;
  load(): Promise<{ readonly default: Verb }>;
}

export const VERBS: Readonly<Record<string, VerbEntry>> = {
  init: {
    line: 'init <dir>',
    describe: 'make a log: a folder with stele.yaml, a key and an empty tree',
    load: () => import('./verbs/init.ts'),
  },
  add: {
    line: 'add [files..]',
    describe: 'submit entries: one per file, or one per line',
    load: () => import('./verbs/add.ts'),
  },
  upload: {
    line: 'upload <server>',
    describe: 'log a signature of an artifact, or an envelope, and keep the proof',
    load: () => import('./verbs/upload.ts'),
  },
  sequence: {
    line: 'sequence',
    describe: 'append what was submitted and publish it, until stopped',
    load: () => import('./verbs/sequence.ts'),
  },
  checkpoint: {
    line: 'checkpoint <log>',
    describe: "print the log's verified checkpoint",
    load: () => import('./verbs/checkpoint.ts'),
  },
  get: {
    line: 'get <log> <entry>',
    describe: 'print one entry, by its index or its leaf hash, verified against the checkpoint',
    load: () => import('./verbs/get.ts'),
  },
  prove: {
    line: 'prove <log> <index>',
    describe: 'make a proof file that an entry is in the log',
    load: () => import('./verbs/prove.ts'),
  },
  verify: {
    line: 'verify [entry]',
    describe: 'verify that an entry or a signed artifact is in the log, offline or online',
    load: () => import('./verbs/verify.ts'),
  },
  consistency: {
    line: 'consistency <log> <oldCheckpoint>',
    describe: 'verify that the log still contains all that an older checkpoint signed',
    load: () => import('./verbs/consistency.ts'),
  },
  loginfo: {
    line: 'loginfo <log>',
    describe: 'size and root, held against what this user saw the last time',
    load: () => import('./verbs/loginfo.ts'),
  },
  logproof: {
    line: 'logproof <log>',
    describe: 'print a consistency proof between two sizes, verified',
    load: () => import('./verbs/logproof.ts'),
  },
  fsck: {
    line: 'fsck <log>',
    describe: 'check every object of the log against its checkpoint',
    load: () => import('./verbs/fsck.ts'),
  },
  doctor: {
    line: 'doctor <log>',
    describe: 'examine a log for what operators get wrong: headers, caches, clocks, permissions',
    load: () => import('./verbs/doctor.ts'),
  },
  serve: {
    line: 'serve',
    describe: "take entries and serve the log's public files over HTTP, with the sequencer or before a queue",
    load: () => import('./verbs/serve.ts'),
  },
  'trusted-root': {
    line: 'trusted-root [log]',
    describe: "print the log's key as sigstore's clients want it (TrustedRoot)",
    load: () => import('./verbs/trusted-root.ts'),
  },
  'signing-config': {
    line: 'signing-config <servers..>',
    describe: "print where sigstore's clients are to write (SigningConfig)",
    load: () => import('./verbs/signing-config.ts'),
  },
  freeze: {
    line: 'freeze',
    describe: 'end the log for ever: nothing can be appended any more',
    load: () => import('./verbs/freeze.ts'),
  },
  recover: {
    line: 'recover',
    describe: 'say what is wrong with a log that refuses to start, and mend it',
    load: () => import('./verbs/recover.ts'),
  },
  gc: {
    line: 'gc',
    describe: 'delete partial tiles that a full tile has replaced',
    load: () => import('./verbs/gc.ts'),
  },
  'rebuild-cache': {
    line: 'rebuild-cache',
    describe: 'learn again, from the log, which entries it has',
    load: () => import('./verbs/rebuild-cache.ts'),
  },
  key: {
    line: 'key <action>',
    describe: 'generate a signer key, or show the verifier key',
    load: () => import('./verbs/key.ts'),
  },
};
