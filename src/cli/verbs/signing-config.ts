import { SteleError } from '../../errors.ts';
import { OUT } from '../arguments.ts';
import { isUrl, loadConfig } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { writeOutput } from '../files.ts';
import { checkMoment, signingConfigJson } from '../sigstore-trust.ts';
import { defineVerb } from '../verb.ts';

const ALWAYS = '1970-01-01T00:00:00Z';

export default defineVerb({
  positionals: {
    servers: {
      describe: 'URLs of servers that take entries, or folders of logs whose stele.yaml has one',
      type: 'string',
      array: true,
      demandOption: true,
    },
  },
  options: {
    merge: { describe: 'take everything but the logs from this signing config', type: 'string', requiresArg: true },
    operator: {
      describe: 'who runs them; clients that want several logs want several operators',
      type: 'string',
      requiresArg: true,
    },
    start: { describe: 'since when they are to be used, in UTC', type: 'string', default: ALWAYS, requiresArg: true },
    out: OUT,
  },
  examples: [
    ['signing-config https://log.example -o signing_config.json', 'for cosign --signing-config and the like'],
    ['signing-config my-log --merge sigstore.json', "with sigstore's certificate and timestamp authorities"],
  ],
  async run({ servers, merge, operator, start, out }, { output, environment }) {
    const urls: string[] = [];
    for (const server of servers) urls.push(await urlOf(server, environment));
    const who = operator ?? new URL(urls[0] ?? '').hostname;
    const config = await signingConfigJson(urls, who, checkMoment('--start', start), merge);
    const text = `${JSON.stringify(config, undefined, 2)}\n`;
    if (out !== undefined) await writeOutput(out, text);
    output.result(out === undefined ? text : '', config);
    return YES;
  },
});

async function urlOf(server: string, environment: Parameters<typeof loadConfig>[1]): Promise<string> {
  const url = isUrl(server) ? server : (await loadConfig(server, environment)).url;
  if (url === undefined) {
    throw new SteleError('config', `stele.yaml of ${server} has no url: set it, or name the server's URL`);
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new SteleError('config', `${url} is not the URL of a server (https:)`);
  }
  return url;
}
