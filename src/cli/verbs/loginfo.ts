import { LOG, VKEY } from '../arguments.ts';
import { YES } from '../exit-codes.ts';
import { openLog } from '../reading.ts';
import { keepSeen, readSeen, seenFolder } from '../seen-checkpoints.ts';
import { base64, checkpointJson } from '../shapes.ts';
import { defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: { log: LOG },
  options: {
    vkey: VKEY,
    state: {
      describe: 'folder of the checkpoints that were seen (default: ~/.local/state/stele)',
      type: 'string',
      requiresArg: true,
    },
    'no-state': { describe: 'neither look at nor keep what was seen before', type: 'boolean', default: false },
  },
  examples: [
    ['loginfo my-log', 'size and root, held against what was seen the last time'],
    ['loginfo https://log.example/ --vkey log.example+8c2d…', 'exit status 1 where the log went back or forked'],
  ],
  async run({ log, vkey, state, 'no-state': stateless }, { output, environment }) {
    const { reader, verifier } = await openLog(log, vkey, environment);
    const folder = state ?? seenFolder(environment);
    const seen = stateless ? undefined : await readSeen(folder, verifier);
    const found = await reader.checkpoint();
    const latest = seen === undefined ? found : await reader.verifyConsistencyWith(seen, found);
    const successor = await reader.successor(latest);
    if (!stateless) await keepSeen(folder, verifier, latest);
    const history =
      seen === undefined
        ? stateless
          ? 'not held against anything seen before'
          : 'not seen before'
        : `consistent with size ${seen.size}, seen before`;
    const lines = [`origin ${latest.origin}`, `size ${latest.size}`, `root ${base64(latest.root)}`, history];
    if (found.size < latest.size) lines.push(`the log serves an older checkpoint now, of size ${found.size}`);
    if (successor !== undefined) lines.push(`frozen; followed by ${successor.verifier.vkey} at ${successor.url}`);
    output.result(`${lines.join('\n')}\n`, {
      ...checkpointJson(latest),
      seen: seen?.size ?? null,
      ...(successor && { successor: { vkey: successor.verifier.vkey, url: successor.url } }),
    });
    return YES;
  },
});
