import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SteleError } from '../../errors.ts';
import { initLog } from '../../sequencer/index.ts';
import { makeRoot } from '../../store/index.ts';
import { ALLOW_EPHEMERAL, ALLOW_OPEN_KEY, LOCK_WAIT, parseSeconds } from '../arguments.ts';
import { CONFIG_FILE, type Environment, isUrl, type LogConfig, loadConfig, parseConfig, storeUrl } from '../config.ts';
import { formatConfig, writeConfig } from '../config-file.ts';
import { refuseEphemeral } from '../ephemeral.ts';
import { YES } from '../exit-codes.ts';
import { type PreparedStores, prepareStores } from '../init-stores.ts';
import { generateNamedKey, KEY_VARIABLE, type KeyOptions, loadSigner, writeKeyFile } from '../key-file.ts';
import { defineVerb } from '../verb.ts';
import { openForWriting } from '../writing.ts';

const KEY_FILE = 'key';

interface Request {
  readonly origin: string;
  readonly url: string | undefined;
  readonly publicStore: string;
  readonly privateStore: string;
  readonly publicRead: boolean;
  readonly allowEphemeral: boolean;
}

/** A configuration whose stores are there. */
interface Prepared extends PreparedStores {
  readonly config: LogConfig;
}

export default defineVerb({
  positionals: { dir: { describe: 'the folder to make', type: 'string', demandOption: true } },
  options: {
    origin: {
      describe: 'name of the log and its key: its public URL without scheme, such as log.example/demo',
      type: 'string',
      demandOption: true,
      requiresArg: true,
    },
    url: { describe: 'where the public store will be served', type: 'string', requiresArg: true },
    'public-store': {
      describe: 'folder, or s3://bucket/prefix, minio://host/bucket/prefix; below DIR unless given',
      type: 'string',
      requiresArg: true,
    },
    'private-store': {
      describe: 'the same for journal and queue, which only you may read; below DIR unless given',
      type: 'string',
      requiresArg: true,
    },
    'public-read': {
      describe: 'let everyone read the bucket of the public store',
      type: 'boolean',
      default: false,
    },
    'lock-wait': LOCK_WAIT,
    'allow-open-key': ALLOW_OPEN_KEY,
    'allow-ephemeral': ALLOW_EPHEMERAL,
  },
  examples: [
    ['init my-log --origin log.example/demo', 'makes my-log and prints the verifier key'],
    ['init my-log --origin log.example/demo --public-store /srv/www/demo', 'with the public files elsewhere'],
    [
      'init my-log --origin log.example/demo --public-store s3://demo/log --private-store s3://demo-private/log --public-read',
      'in buckets, which are made if they are not there',
    ],
    ['init my-log --origin log.example/demo', 'once more: completes what was interrupted, changes nothing else'],
  ],
  async run(args, { output, environment }) {
    const dir = resolve(args.dir);
    const request: Request = {
      origin: args.origin,
      url: args.url,
      publicStore: storePlace(args['public-store'] ?? join(dir, 'public')),
      privateStore: storePlace(args['private-store'] ?? join(dir, 'private')),
      publicRead: args['public-read'],
      allowEphemeral: args['allow-ephemeral'],
    };
    const key: KeyOptions = { environment, allowOpenKey: args['allow-open-key'] };
    const { config, notes } = existsSync(join(dir, CONFIG_FILE))
      ? await existingConfig(dir, request, environment)
      : await createConfig(dir, request, key);
    const lockWaitMs = parseSeconds('--lock-wait', args['lock-wait']);
    const { allowEphemeral } = request;
    const log = await openForWriting(config, { ...key, allowEphemeral, lockWaitMs, verb: 'init' });
    try {
      const { created, description } = await initLog({ ...log, ...(config.url !== undefined && { url: config.url }) });
      const vkey = log.signer.verifierKey;
      output.result(`${vkey}\n`, { created, dir, origin: config.origin, id: description.id, vkey });
      for (const note of notes) output.note(note);
      output.note(
        created ? `made the log ${config.origin} in ${args.dir}` : `${args.dir} is the log ${config.origin} already`,
      );
    } finally {
      await log.close();
    }
    return YES;
  },
});

/** The configuration of an earlier `init`, which must have been asked for the same log. */
async function existingConfig(dir: string, request: Request, environment: Environment): Promise<Prepared> {
  const config = await loadConfig(dir, environment);
  const wanted = { ...config, stores: { public: request.publicStore, private: request.privateStore } };
  const differing =
    (config.origin !== request.origin && `origin is ${config.origin}`) ||
    (request.url !== undefined && config.url !== request.url && `url is ${config.url ?? 'absent'}`) ||
    (['public', 'private'] as const)
      .filter((which) => storeUrl(config, which) !== storeUrl(wanted, which))
      .map((which) => `stores.${which} is ${config.stores[which]}`)[0];
  if (differing) {
    throw new SteleError(
      'config',
      `there is a log in ${dir} already, and its ${differing}: init changes nothing, edit ${CONFIG_FILE} or choose another folder`,
    );
  }
  return prepared(config, request, environment);
}

/**
 * Whatever is wrong with the request shows before anything is written that a corrected one would stumble over. Then the
 * key is written, durably: what is signed must stay signable. Then stele.yaml, which makes the folder a log.
 */
async function createConfig(dir: string, request: Request, options: KeyOptions): Promise<Prepared> {
  const path = join(dir, KEY_FILE);
  const fromEnvironment = options.environment[KEY_VARIABLE] !== undefined;
  const found = fromEnvironment || existsSync(path) ? await loadSigner(KEY_FILE, dir, options) : undefined;
  if (found !== undefined && found.name !== request.origin) {
    const where = fromEnvironment ? KEY_VARIABLE : path;
    throw new SteleError('config', `the key in ${where} is named ${found.name}, --origin is ${request.origin}`);
  }
  const made = found === undefined ? generateNamedKey(request.origin, randomBytes) : undefined;
  const text = formatConfig({
    origin: request.origin,
    url: request.url,
    vkey: found?.verifierKey ?? made?.vkey,
    key: fromEnvironment ? undefined : KEY_FILE,
    stores: { public: relativeTo(dir, request.publicStore), private: relativeTo(dir, request.privateStore) },
  });
  const config = parseConfig(text, join(dir, CONFIG_FILE), dir, options.environment);
  const ready = await prepared(config, request, options.environment);

  await makeRoot(dir);
  if (made !== undefined) await writeKeyFile(path, made.skey);
  await writeConfig(dir, text);
  return ready;
}

async function prepared(config: LogConfig, request: Request, environment: Environment): Promise<Prepared> {
  refuseEphemeral(config, { environment, allowEphemeral: request.allowEphemeral });
  const { notes } = await prepareStores(config, request);
  return { config, notes };
}

/** A store named on the command line: a URL, or a folder relative to where the command runs. */
function storePlace(text: string): string {
  return isUrl(text) ? text : resolve(text);
}

/** A folder directly below DIR is written as its name, so that DIR can be moved. */
function relativeTo(dir: string, place: string): string {
  return place.startsWith(`${dir}/`) ? place.slice(dir.length + 1) : place;
}
