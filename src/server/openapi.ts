/** The interface as an OpenAPI 3.1 document. A test holds it against the routes, and answers against its schemas. */

import { ENTRY_KINDS } from '../entry/index.ts';

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string' };
const bytes: Schema = { type: 'string', contentEncoding: 'base64' };
const int64: Schema = { type: 'string', pattern: '^(0|[1-9][0-9]*)$' };
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const object = (properties: Readonly<Record<string, Schema>>, ...optional: string[]): Schema => ({
  type: 'object',
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
});
const json = (schema: Schema): Schema => ({ 'application/json': { schema } });
const answer = (description: string, content?: Schema): Schema => ({ description, ...(content && { content }) });
const failed = (description: string): Schema => answer(description, json(ref('Error')));
const file = (description: string, type: string): Schema => answer(description, { [type]: {} });
const told = (description: string): Schema => file(description, 'text/plain');

const SCHEMAS: Readonly<Record<string, Schema>> = {
  Error: object({
    code: { type: 'integer', description: 'a code of google.rpc.Code' },
    message: text,
    details: { type: 'array', maxItems: 0 },
  }),
  Verifier: {
    ...object(
      { keyDetails: text, publicKey: object({ rawBytes: bytes }), x509Certificate: object({ rawBytes: bytes }) },
      'publicKey',
      'x509Certificate',
    ),
    description: 'a public key (DER SubjectPublicKeyInfo) or a certificate (DER, the leaf alone), one of both',
  },
  Signature: object({ content: bytes, verifier: ref('Verifier') }),
  HashedRekordRequestV002: object({ digest: bytes, signature: ref('Signature') }),
  DSSERequestV002: object({
    envelope: object({
      payload: bytes,
      payloadType: text,
      signatures: { type: 'array', items: object({ sig: bytes, keyid: text }, 'keyid') },
    }),
    verifiers: { type: 'array', items: ref('Verifier') },
  }),
  RawRequestV001: object({ content: bytes }),
  CreateEntryRequest: {
    description: `one of these; which of the kinds (${ENTRY_KINDS.map(({ kind }) => kind).join(', ')}) a log takes is its own affair`,
    oneOf: [
      object({ hashedRekordRequestV002: ref('HashedRekordRequestV002') }),
      object({ dsseRequestV002: ref('DSSERequestV002') }),
      object({ rawRequestV001: ref('RawRequestV001') }),
    ],
  },
  TransparencyLogEntry: object({
    logIndex: int64,
    logId: object({ keyId: bytes }),
    kindVersion: object({ kind: text, version: text }),
    integratedTime: { const: '0' },
    inclusionPromise: { type: 'null' },
    inclusionProof: object({
      logIndex: int64,
      rootHash: bytes,
      treeSize: int64,
      hashes: { type: 'array', items: bytes },
      checkpoint: object({ envelope: text }),
    }),
    canonicalizedBody: bytes,
  }),
};

/** What Node's HTTP parser answers in our place, without a body. */
const UNREAD: Readonly<Record<number, Schema>> = {
  408: answer('the request took too long to arrive'),
  417: answer('Expect is something other than 100-continue'),
  431: answer('the head of the request is too large'),
};

const POST_ENTRY: Schema = {
  operationId: 'createEntry',
  summary: 'Log an entry; answered once a checkpoint that anyone can fetch covers it',
  description:
    'The same entry again is answered with the entry that there is and a current proof (or, where the log is so configured, with 409 and its index in x-log-index). Bytes are base64, standard or URL-safe; field names are lowerCamelCase or as in the .proto files.',
  security: [{}, { token: [] }],
  requestBody: { required: true, content: json(ref('CreateEntryRequest')) },
  responses: {
    201: answer('the entry, and the proof of it', json(ref('TransparencyLogEntry'))),
    400: failed('not an entry that this log takes; the message says why'),
    401: failed('a token is needed'),
    405: failed('the log is frozen'),
    409: failed('the entry is in the log already, at the index in x-log-index'),
    413: failed('the request is too large'),
    429: failed('too many requests; Retry-After says when to come back'),
    500: failed('something is wrong with the log; its operator was told'),
    503: failed('too much waits, or was not published in time; send it again after Retry-After, it is logged once'),
    ...UNREAD,
  },
};

const status = (summary: string, name: string, failures: Readonly<Record<number, Schema>> = {}): Schema => ({
  get: {
    operationId: name,
    summary,
    responses: {
      200: answer('it is', json(object({ status: text }))),
      ...failures,
      ...UNREAD,
    },
  },
});

const parameter = (name: string, description: string): Schema => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: text,
});

/** A static object, at the root and below /api/v2; what fails is told in the form of the place. */
function files(path: string, summary: string, type: string, ...parameters: Schema[]): Readonly<Record<string, Schema>> {
  const get = (refused: (description: string) => Schema): Schema => ({
    summary,
    parameters,
    responses: {
      200: file('the object', type),
      206: file('the bytes of it that Range asks for', type),
      304: answer('it is one that If-None-Match names'),
      404: refused('there is no such object (yet)'),
      412: refused('it is none of those that If-Match names'),
      416: refused('no byte of it is in the Range'),
      500: refused('something is wrong with the server; its operator was told'),
      503: refused('the store cannot be reached; Retry-After says when to come back'),
      ...UNREAD,
    },
  });
  return { [path]: { get: get(told) }, [`/api/v2${path}`]: { get: get(failed) } };
}

/** The document; `writable`: of a server that takes entries. */
export function openApiDocument(writable: boolean): Schema {
  const level = parameter('level', 'level of the tile, 0 to 63');
  const place = parameter('place', 'index of the tile as c2sp.org/tlog-tiles writes it, such as x001/234 or 000.p/12');
  return {
    openapi: '3.1.0',
    info: {
      title: 'Stele, a transparency log',
      description:
        'Rekor v2 (dev.sigstore.rekor.v2) and c2sp.org/tlog-tiles. HEAD is answered as GET, without the body, and OPTIONS of files with 204; other methods than those here are answered with 405 and Allow, other paths with 404, and what is no HTTP with 400.',
      version: '2',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: {
      ...(writable && { '/api/v2/log/entries': { post: POST_ENTRY } }),
      ...files('/checkpoint', 'The signed checkpoint (c2sp.org/tlog-checkpoint)', 'text/plain'),
      ...files('/tile/{level}/{place}', 'A tile of hashes', 'application/octet-stream', level, place),
      ...files('/tile/entries/{place}', 'A bundle of entries', 'application/octet-stream', place),
      ...files('/log.json', 'What the log says of itself; unsigned', 'application/json'),
      ...files('/successor', 'The log that follows a frozen one: a note signed by its key', 'text/plain'),
      '/healthz': status('Is the server alive?', 'health'),
      '/readyz': status('Can it do what it is there for?', 'readiness', {
        500: told('something is wrong with the server; its operator was told'),
        503: told('it cannot; the reason'),
      }),
      '/metrics': {
        get: {
          operationId: 'metrics',
          summary: 'Metrics for Prometheus',
          responses: { 200: file('metrics', 'text/plain'), ...UNREAD },
        },
      },
      '/openapi.json': {
        get: {
          operationId: 'openapi',
          summary: 'This document',
          responses: { 200: answer('it', json({ type: 'object' })), ...UNREAD },
        },
      },
    },
    components: {
      schemas: SCHEMAS,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}
