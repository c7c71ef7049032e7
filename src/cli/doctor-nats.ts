/** What `stele doctor` sees in a queue on NATS. */

import { type Finding, ok, problem, warning } from '../client/index.ts';
import { isSteleError } from '../errors.ts';
import { type NatsQueueState, natsName, parseNatsUrl, readNatsState } from '../queue/index.ts';
import { duration, OVERDUE_MS } from './doctor-stores.ts';

/** Whether its servers can be reached, whether anybody takes what is submitted, and whether messages had to be set aside. */
export async function examineNatsQueue(url: string, nowMs: number): Promise<Finding> {
  const place = parseNatsUrl(url);
  try {
    const state = await readNatsState(place);
    if (state === undefined) return ok('queue', `there is no ${natsName(place)} yet: \`stele sequence\` makes it`);
    return judgeNatsQueue(state, nowMs);
  } catch (error) {
    if (!isSteleError(error, 'unreachable')) throw error;
    return problem(
      'queue',
      error.message,
      'do the NATS servers of queue.url run, with JetStream, and is there a way to them?',
    );
  }
}

export function judgeNatsQueue({ waiting, oldestMs, aside, asideStream }: NatsQueueState, nowMs: number): Finding {
  if (oldestMs !== undefined && nowMs - oldestMs > OVERDUE_MS) {
    return problem(
      'queue',
      `${waiting} submissions wait, the oldest since ${duration(nowMs - oldestMs)}`,
      'is `stele sequence` running, and what does it say?',
    );
  }
  if (aside > 0) {
    return warning(
      'queue',
      `${aside} messages were set aside`,
      `\`nats stream view ${asideStream}\` shows each with its Stele-Reason; tell those who sent them, then \`nats stream purge ${asideStream}\``,
    );
  }
  return ok('queue', `${waiting} submissions wait`);
}
