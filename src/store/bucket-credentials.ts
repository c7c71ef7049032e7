import { SteleError } from '../errors.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The names under which the environment may hold the credentials of a `minio:` store: the first complete pair counts. */
const PAIRS = [
  ['MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY'],
  ['MINIO_ROOT_USER', 'MINIO_ROOT_PASSWORD'],
  ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
] as const;

/** Throws `config` when there are none. */
export function minioCredentials(env: Readonly<Record<string, string | undefined>> = process.env): Credentials {
  for (const [id, secret] of PAIRS) {
    const accessKeyId = env[id];
    const secretAccessKey = env[secret];
    if (accessKeyId && secretAccessKey) {
      const sessionToken = id === 'AWS_ACCESS_KEY_ID' ? env['AWS_SESSION_TOKEN'] : undefined;
      return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
    }
  }
  throw new SteleError(
    'config',
    `a minio: store needs credentials in the environment: ${PAIRS.map((pair) => pair.join(' and ')).join(', or ')}`,
  );
}
