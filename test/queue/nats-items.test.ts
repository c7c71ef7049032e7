import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { encodeSubmission, type Receipt, submissionId } from '../../src/queue/index.ts';
import {
  messageIdOf,
  messageLimits,
  natsItemName,
  parseNatsItemName,
  readMessage,
  splitForMessages,
} from '../../src/queue/nats-items.ts';
import { sequenceOf } from '../../src/queue/nats-pull.ts';
import { receiptMessage } from '../../src/queue/nats-receipts.ts';
import { doneSubject, HEADER_ROOM, newSubject, streamPlans } from '../../src/queue/nats-streams.ts';
import { parseNatsUrl } from '../../src/queue/nats-url.ts';
import { MAX_RECEIPT_BYTES, parseReceipt } from '../../src/queue/receipt.ts';
import { text } from './queue-fixture.ts';

const MIB = 2 ** 20;

test('runs for messages hold all entries in order, and each fits a message, as does any receipt for it', () => {
  const entry = fc.nat({ max: 3_000 }).map((length) => new Uint8Array(length));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), fc.integer({ min: 8_000, max: 40_000 }), (entries, maxPayload) => {
      const runs = splitForMessages(entries, maxPayload);
      assert.deepEqual(runs.flat(), entries);
      for (const run of runs) {
        assert.ok(run.length > 0);
        assert.ok(encodeSubmission(run).length + HEADER_ROOM <= maxPayload);
        for (const receipt of longestReceipts(run.length)) {
          const message = receiptMessage(receipt, maxPayload);
          assert.ok(message.length + HEADER_ROOM <= maxPayload, `${message.length} bytes for ${run.length} entries`);
          assert.equal(parseReceipt(message).outcomes.length, run.length);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('the longest receipts of the longest items fit, at 1 MiB and where the format is the limit', () => {
  for (const maxPayload of [MIB, 8 * MIB, 64 * MIB]) {
    const { entries } = messageLimits(maxPayload);
    for (const receipt of longestReceipts(entries)) {
      const message = receiptMessage(receipt, maxPayload);
      assert.ok(message.length + HEADER_ROOM <= maxPayload && message.length <= MAX_RECEIPT_BYTES);
      assert.equal(parseReceipt(message).outcomes.length, entries);
    }
  }
});

test('a receipt that fits is left as it is; of one that does not, only the reasons are cut', () => {
  const refusals = Array.from({ length: 100 }, (_, i) => ({ refused: `${i} ${'x'.repeat(200)}` }));
  const receipt: Receipt = { outcomes: [{ index: 7, duplicate: true }, ...refusals], treeSize: 9 };
  assert.deepEqual(parseReceipt(receiptMessage(receipt, MIB)), receipt);
  const cut = parseReceipt(receiptMessage(receipt, HEADER_ROOM + 3_000));
  assert.deepEqual(cut.outcomes[0], { index: 7, duplicate: true });
  const [, second] = cut.outcomes;
  assert.ok(second && 'refused' in second && second.refused.startsWith('0 xxx'));
});

test('an entry that the server takes no message for is a limit error with its place, before anything is cut', () => {
  const small = HEADER_ROOM + 1_000;
  assert.throws(
    () => splitForMessages([text('a'), new Uint8Array(975)], small),
    (error) => isSteleError(error, 'limit') && /entry 1 has 975 bytes; .*takes 974/.test(error.message),
  );
  assert.equal(splitForMessages([text('a'), new Uint8Array(974)], small).length, 2);
  // What no log takes is said as such, whatever the server takes.
  assert.throws(
    () => splitForMessages([new Uint8Array(65_536)], MIB),
    (error) => isSteleError(error, 'limit') && /a log holds at most 65535/.test(error.message),
  );
  assert.throws(
    () => splitForMessages([text('')], 100),
    (error) => isSteleError(error, 'limit') && /takes 0/.test(error.message),
  );
});

test('a message is an item when its bytes are a submission and its Nats-Msg-Id is their SHA-256', () => {
  const bytes = encodeSubmission([text('a'), text('b')]);
  const id = submissionId(bytes);
  for (const messageId of [messageIdOf(id), messageIdOf(id, 42)]) {
    const read = readMessage({ seq: 3, messageId, bytes });
    assert.ok('item' in read && read.item.id === id && read.item.entries.length === 2 && read.seq === 3);
  }
  const cases: readonly [Uint8Array, string, RegExp][] = [
    [bytes, '', /Nats-Msg-Id is not its SHA-256/],
    [bytes, 'something', /Nats-Msg-Id is not its SHA-256/],
    [bytes, `${id}x`, /Nats-Msg-Id is not its SHA-256/],
    [text('hello'), submissionId(text('hello')), /do not start as a submission does/],
    [bytes.subarray(0, -1), submissionId(bytes.subarray(0, -1)), /./],
    [new Uint8Array(16 * MIB + 1), 'any', /at most 16777216 bytes/],
  ];
  for (const [wrong, messageId, why] of cases) {
    const read = readMessage({ seq: 1, messageId, bytes: wrong });
    assert.ok('bad' in read && why.test(read.bad) && read.id === submissionId(wrong), `${why}`);
  }
});

test('names of items hold a number and an id, and nothing else is a name', () => {
  const id = 'ab'.repeat(32);
  assert.equal(natsItemName(42, id), `0000000000000042-${id}`);
  assert.deepEqual(parseNatsItemName(natsItemName(42, id)), { seq: 42, id });
  for (const name of [
    '',
    id,
    `42-${id}`,
    `0000000000000000-${id}`,
    `9999999999999999-${id}`,
    `${natsItemName(1, id)}x`,
    natsItemName(1, `${id.slice(1)}>`),
  ]) {
    assert.throws(
      () => parseNatsItemName(name),
      (error) => isSteleError(error, 'malformed'),
      name,
    );
  }
});

test('the number of a message is found in both forms of its reply subject', () => {
  assert.equal(sequenceOf('$JS.ACK.log.sequencers.2.17.5.1795657041727293123.0'), 17);
  assert.equal(sequenceOf('$JS.ACK.hub.ACCOUNT.log.sequencers.2.17.5.1795657041727293123.0'), 17);
  assert.equal(sequenceOf('$JS.ACK._.ACCOUNT.log.sequencers.2.17.5.1795657041727293123.0.random'), 17);
});

test('a queue keeps what waits on disk, refuses what it has no room for, and forgets equal items before their receipts', () => {
  const place = parseNatsUrl('nats://a/log?replicas=3&max-bytes=1073741824');
  const [waits, done, bad] = streamPlans(place);
  assert.ok(waits && done && bad);
  for (const plan of [waits, done, bad]) assert.deepEqual([plan.storage, plan.num_replicas], ['file', 3]);
  assert.deepEqual([waits.retention, waits.discard, waits.max_bytes], ['workqueue', 'new', 1_073_741_824]);
  assert.ok((waits.duplicate_window ?? 0) < (done.max_age ?? 0));
  assert.deepEqual(waits.subjects, [newSubject(place)]);
  assert.equal(doneSubject(place, 7, 'ab'), 'log.done.7.ab');
  assert.equal(streamPlans(parseNatsUrl('nats://a/log'))[0]?.num_replicas, 1);
});

function longestReceipts(entries: number): Receipt[] {
  const treeSize = Number.MAX_SAFE_INTEGER;
  const index = { index: treeSize - 1, duplicate: true };
  const refused = { refused: 'x'.repeat(240) };
  return [
    { outcomes: Array.from({ length: entries }, () => index), treeSize },
    { outcomes: Array.from({ length: entries }, () => refused), treeSize },
    { outcomes: Array.from({ length: entries }, (_, i) => (i % 2 === 0 ? index : refused)), treeSize },
  ];
}
