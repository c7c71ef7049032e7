/**
 * `stele recover` (DESIGN §5; tiles-spec/journal.md, "Recovering"): says what is wrong with a log that no writer will
 * touch, how that is known, and what would be written; then writes it.
 *
 * The steps, each in a file: evidence, journal and plan, the tree, applying. It never signs below or beside any size
 * that it has evidence of; where it cannot mend, it refuses and writes nothing.
 */

import { SteleError } from '../errors.ts';
import type { Hash } from '../merkle/index.ts';
import type { SignedCheckpoint, Signer, Verifier } from '../note/index.ts';
import type { ObjectStore, ReadableStore } from '../store/index.ts';
import { idBytes } from './description.ts';
import { applyPlan } from './recover-apply.ts';
import { Copies } from './recover-bundle.ts';
import { gatherEvidence } from './recover-evidence.ts';
import { type Finding, planRecovery } from './recover-plan.ts';
import { describeEvidence, describeWrites, type Problem } from './recover-report.ts';
import { TreeRebuild } from './recover-tree.ts';

export interface RecoverRequest {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly signer: Signer;
  readonly verifier: Verifier;
  /** A mirror of the public store: evidence of what was published, and copies of what is lost. */
  readonly from?: ReadableStore;
  readonly random: (length: number) => Uint8Array;
  /** The operator states that commits which cannot be read were never published; their records are set aside. */
  readonly acceptLoss?: boolean;
  /** How many entries of those known were gone through. */
  readonly onProgress?: (progress: { entries: number; size: number }) => void;
}

export interface Recovery {
  readonly finding: Finding;
  /** How that is known, and what cannot be known. */
  readonly evidence: readonly string[];
  /** What `apply` would write, in words; nothing for a log that is healthy, or was never begun. */
  readonly writes: readonly string[];
  /** The published size, once applied. */
  readonly size: number;
  /** Writes it, and returns the checkpoint that then stands. Run it once, with no other writer. */
  apply(): Promise<SignedCheckpoint>;
}

/**
 * Looks through both stores, and at every entry; writes nothing. Throws `refused` where nothing can be mended, with the
 * evidence and what would help; `fork` where this log has signed two histories; `config` for a wrong key, or no log.
 */
export async function recover(request: RecoverRequest): Promise<Recovery> {
  const { publicStore, privateStore, signer, verifier, from, acceptLoss = false, onProgress } = request;
  if (signer.verifierKey !== verifier.vkey) {
    throw new SteleError('config', `the signer key is not the one that ${verifier.vkey} verifies`);
  }
  const evidence = await gatherEvidence(request);
  const plan = planRecovery(evidence, acceptLoss);
  const { history, target } = plan;
  if (plan.finding === 'creation-incomplete') {
    const what = `there is no checkpoint, tile or record: \`stele init\` was interrupted, run it again`;
    const apply = (): Promise<never> => Promise.reject(new SteleError('refused', what));
    return { finding: plan.finding, evidence: [what], writes: [], size: 0, apply };
  }

  const stretches = () => {
    const mirror = from && evidence.mirrored && { store: from, size: evidence.mirrored.size };
    const sources = {
      publicStore,
      privateStore,
      logId: idBytes(evidence.description),
      mirror,
      records: history.records,
    };
    return new TreeRebuild(publicStore, new Copies(sources), history, target).stretches();
  };
  const roots: Hash[] = [];
  const problems: Problem[] = [];
  let mends = 0;
  for await (const stretch of stretches()) {
    roots.push(stretch.root);
    mends += stretch.mends.length;
    for (const { key, damaged } of stretch.mends) if (problems.length < MAX_LISTED) problems.push({ key, damaged });
    onProgress?.({ entries: stretch.size, size: history.known });
  }
  const targetRoot = target === history.known ? roots.at(-1) : history.signed.root;
  if (targetRoot === undefined) throw new RangeError('a tree ends with a stretch');
  return {
    finding: plan.finding === 'healthy' && mends > 0 ? 'tiles-damaged' : plan.finding,
    evidence: describeEvidence(evidence, plan),
    writes: describeWrites(evidence, plan, { listed: problems, count: mends }),
    size: target,
    apply: () => applyPlan(request, evidence, plan, { roots, targetRoot, mends }, stretches()),
  };
}

/** Objects that are named one by one; the others are counted. */
const MAX_LISTED = 1_000;
