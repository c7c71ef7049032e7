/** `recover` under random damage: it mends to the one history there was, or refuses; nothing in between. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import type { ReadableStore } from '../../src/store/index.ts';
import { keysOf } from './harness.ts';
import {
  assertGoesOn,
  commitOnly,
  contents,
  grow,
  grownLog,
  type Harm,
  harm,
  lookAt,
  mirrorOf,
  restore,
  snapshot,
  watchedSigner,
} from './recover-fixture.ts';

const KINDS: readonly Harm[] = ['missing', 'flipped', 'torn', 'long'];

const damage = fc.record({ place: fc.nat(), kind: fc.constantFrom(...KINDS) });

const scenario = fc.record({
  batches: fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }),
  unpublished: fc.option(
    fc.record({ count: fc.integer({ min: 1, max: 300 }), written: fc.constantFrom('nothing', 'tiles') }),
  ),
  /** The store that is put back to what it was after some of the batches; the other one has the evidence. */
  older: fc.constantFrom('none', 'public', 'private'),
  back: fc.nat({ max: 4 }),
  mirrorAfter: fc.option(fc.nat({ max: 5 })),
  damages: fc.array(damage, { maxLength: 3 }),
});

test('random damage, with evidence left of every signed size, is mended to that history or refused (O1, O7, CORRUPT)', async () => {
  const outcomes = { mended: 0, refused: 0, healthy: 0 };
  await fc.assert(
    fc.asyncProperty(scenario, async ({ batches, unpublished, older, back, mirrorAfter, damages }) => {
      const log = await grownLog();
      let mirror: ReadableStore | undefined;
      let old = { publicStore: await snapshot(log.publicStore), privateStore: await snapshot(log.privateStore) };
      for (const [i, count] of batches.entries()) {
        if (i === mirrorAfter) mirror = await mirrorOf(log);
        if (i === back)
          old = { publicStore: await snapshot(log.publicStore), privateStore: await snapshot(log.privateStore) };
        await grow(log, count);
      }
      if (unpublished !== null && older !== 'private') await commitOnly(log, unpublished.count, unpublished.written);
      if (older === 'public') await restore(log.publicStore, old.publicStore);
      if (older === 'private') await restore(log.privateStore, old.privateStore);

      // Where one store went back, what is current must stay readable: it alone knows what was signed last.
      const store = older === 'private' ? log.privateStore : log.publicStore;
      const keys = await keysOf(store);
      for (const { place, kind } of damages) {
        const key = keys[place % keys.length];
        if (key !== undefined && (await store.get(key)) !== undefined) await harm(store, key, kind);
      }

      const signer = watchedSigner();
      const before = await contents(log);
      let recovery: Awaited<ReturnType<typeof lookAt>>;
      try {
        recovery = await lookAt(log, { signer, acceptLoss: false, ...(mirror && { from: mirror }) });
      } catch (error) {
        assert.ok(isSteleError(error, 'refused', 'config'), String(error));
        assert.deepEqual(await contents(log), before);
        outcomes.refused += 1;
        return;
      }
      if (recovery.finding === 'creation-incomplete') {
        assert.ok(log.entries.length === 0);
        return;
      }
      outcomes[recovery.finding === 'healthy' ? 'healthy' : 'mended'] += 1;
      await recovery.apply();
      const largest = Math.max(...log.signed.map(({ size }) => size));
      for (const size of signer.sizes) assert.ok(size >= largest, `signed ${size} below ${largest}`);
      assert.equal((await lookAt(log)).finding, 'healthy');
      await assertGoesOn(log);
    }),
    { numRuns: 150 },
  );
  assert.ok(outcomes.mended > 40 && outcomes.refused > 0, JSON.stringify(outcomes));
});
