/** The line of sigstore's packages that Node 20 has: other rules here and there than the newest. */

import { createRequire } from 'node:module';
import test from 'node:test';
import type { Packages } from '../sigstore/clients.ts';
import { testClients } from '../sigstore/clients.ts';
import { realPrograms } from './real-programs.ts';

test('the packages are there', (t) => {
  const programs = realPrograms(t, 'sigstore-4');
  if (programs === undefined) return;
  const load = createRequire(programs['sigstore-4']);
  testClients(
    () =>
      ({
        bundle: load('@sigstore/bundle'),
        specs: load('@sigstore/protobuf-specs'),
        sign: load('@sigstore/sign'),
        verify: load('@sigstore/verify'),
      }) as Packages,
  );
});
