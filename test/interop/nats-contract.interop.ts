/** The contract of every queue, on a real NATS server. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type QueueKind, queueContract } from '../queue/contract.ts';
import { natsQueue } from './nats-fixture.ts';
import { realPrograms } from './real-programs.ts';
import { type NatsServer, startNats } from './servers.ts';

const skip = (why = ''): void => void test('nats: the contract of queues', { skip: why }, () => {});
const programs = realPrograms({ skip }, 'nats-server');
if (programs !== undefined) queueContract(onServer(programs['nats-server']));

function onServer(program: string): QueueKind {
  let server: Promise<NatsServer> | undefined;
  const folder = mkdtemp(join(tmpdir(), 'stele-nats-'));
  after(async () => {
    await (await server)?.stop();
    await rm(await folder, { recursive: true, force: true });
  });
  let crashes = 0;
  return {
    name: 'nats',
    pollMs: 10_000,
    joinsEqual: true,
    async make(t) {
      // The contract has items of 65,536 entries, and the receipts of these are above the usual megabyte.
      server ??= folder.then((into) => startNats(program, into, ['max_payload: 8MB']));
      const made = await natsQueue(t, (await server).natsUrl);
      return {
        open: made.open,
        openSubmitter: made.openSubmitter,
        waiting: async () => (await made.messages()).map(({ messageId }) => messageId),
        async snapshot() {
          const before = await made.messages();
          return async () => {
            // Under its own id it would be known as a message that was there.
            for (const { bytes, messageId } of before) {
              crashes += 1;
              await made.publish(bytes, `${messageId}.after-${crashes}`);
            }
          };
        },
      };
    },
  };
}
