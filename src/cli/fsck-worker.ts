/** One thread of `stele fsck`: opens the store for itself and checks the ranges it is sent. */

import { parentPort, workerData } from 'node:worker_threads';
import { checkRange } from '../client/index.ts';
import { isSteleError } from '../errors.ts';
import { useKernelModule } from '../merkle/index.ts';
import { openReadableStore } from '../store/index.ts';
import type { RangeAnswer, RangeRequest, WorkerData } from './fsck-threads.ts';

const { storeUrl, retry, kernel } = workerData as WorkerData;
if (kernel !== undefined) useKernelModule(kernel);
const store = openReadableStore(storeUrl, { blocking: true });

parentPort?.on('message', async ({ id, range }: RangeRequest) => {
  let answer: RangeAnswer;
  try {
    answer = { id, checked: await checkRange(store, range, { retry }) };
  } catch (error) {
    if (!isSteleError(error)) throw error; // ends the thread, which the other side reports
    answer = { id, code: error.code, message: error.message };
  }
  parentPort?.postMessage(answer);
});
