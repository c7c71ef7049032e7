import assert from 'node:assert/strict';
import test from 'node:test';
import { formatCheckpoint, generateKey, parseSignerKey, parseVerifierKey, signNote } from '../../src/note/index.ts';
import { CHECKPOINT_KEY, requireCheckpoint } from '../../src/sequencer/checkpoints.ts';
import { metaFor, openStore } from '../../src/store/index.ts';

const { skey, vkey } = generateKey('log.example/checkpoints', new Uint8Array(32).fill(1));
const SIZE = 3;
const text = formatCheckpoint({
  origin: parseVerifierKey(vkey).name,
  size: SIZE,
  root: new Uint8Array(32),
  extensions: [],
});

test('the signature of a checkpoint that was verified is not verified again, that of any other is', async () => {
  const store = await openStore('mem:verified-checkpoints');
  const note = await signNote(text, [parseSignerKey(skey)]);
  const etag = await store.replace(CHECKPOINT_KEY, note, metaFor(CHECKPOINT_KEY), null);
  let verified = 0;
  const key = parseVerifierKey(vkey);
  const verifier = {
    ...key,
    verify: (signed: Uint8Array, signature: Uint8Array) => {
      verified += 1;
      return key.verify(signed, signature);
    },
  };
  const first = await requireCheckpoint(store, verifier);
  assert.equal(first.checkpoint.size, SIZE);
  assert.equal(verified, 1);
  assert.deepEqual(await requireCheckpoint(store, verifier, first.checkpoint), first);
  assert.equal(verified, 1);

  const forged = note.slice();
  forged[forged.length - 4] = (forged[forged.length - 4] ?? 0) === 65 ? 66 : 65; // of the signature, in base64
  await store.replace(CHECKPOINT_KEY, forged, metaFor(CHECKPOINT_KEY), etag);
  await assert.rejects(requireCheckpoint(store, verifier, first.checkpoint), { code: 'refused' });
  assert.equal(verified, 2);
});
