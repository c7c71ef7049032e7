/**
 * Check a proof offline: no network, no server, no log.
 *
 *     node --conditions=source examples/verify-proof.ts VKEY PROOF-FILE ENTRY-FILE
 *
 * `stele/verify` is pure and runs anywhere.
 */

import { readFile } from 'node:fs/promises';
import { hashLeaf, isSteleError, parseVerifierKey, verifyProof } from 'stele/verify';

const [vkey, proofFile, entryFile] = process.argv.slice(2);
if (vkey === undefined || proofFile === undefined || entryFile === undefined) {
  throw new Error('usage: verify-proof.ts VKEY PROOF-FILE ENTRY-FILE');
}

try {
  const leafHash = hashLeaf(await readFile(entryFile));
  const { index, checkpoint } = verifyProof(await readFile(proofFile), leafHash, parseVerifierKey(vkey));
  console.log(`entry ${index} of ${checkpoint.origin}, in the tree of size ${checkpoint.size}`);
} catch (error) {
  if (!isSteleError(error)) throw error;
  console.log(`not proven: ${error.message}`);
  process.exitCode = 1;
}
