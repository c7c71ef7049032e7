/** What batch.test.ts runs in a thread: hashes with the module it is given, or, given none, where there is no WebAssembly. */

import { parentPort, workerData } from 'node:worker_threads';

const { module, bytes }: { module?: WebAssembly.Module; bytes: Uint8Array } = workerData;
if (module === undefined) Reflect.deleteProperty(globalThis, 'WebAssembly');

const { hashLeaves, kernelModule, useKernelModule } = await import('../../src/merkle/index.ts');
if (module !== undefined) useKernelModule(module);

const hashes = hashLeaves(bytes, Uint32Array.of(0, 9, 9, 40, 41, 100, 0, 1));
parentPort?.postMessage({
  sameModule: module !== undefined && kernelModule() === module,
  kernel: kernelModule() !== undefined,
  hashes: Buffer.from(hashes).toString('hex'),
});
