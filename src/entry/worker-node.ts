/** The other side of a verifier thread. */

import { parentPort } from 'node:worker_threads';
import { type SignatureCheck, verifySignature } from './signature.ts';

parentPort?.on('message', (checks: readonly SignatureCheck[]) => parentPort?.postMessage(checks.map(verifySignature)));
