/** The OpenAPI document against the server: each of its operations is there, and answers are as it says. */

import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { type TestContext, test } from 'node:test';
import { SteleError } from '../../src/errors.ts';
import { API_PATHS, openApiDocument, routeOf, serveLog } from '../../src/server/index.ts';
import type { ReadableStore } from '../../src/store/index.ts';
import { ALL_KINDS, base64, dsseRequest, SIGNERS, utf8 } from '../entry/proposals.ts';
import { ANSWERS } from './answers.ts';
import { type Answer, ask, ENTRIES, post, proposal, startServer } from './post.ts';
import { startWatched } from './watched.ts';

/** What the document uses of JSON Schema (2020-12). */
interface Schema {
  readonly $ref?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'null';
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly const?: unknown;
  readonly pattern?: string;
  readonly contentEncoding?: 'base64';
  readonly oneOf?: readonly Schema[];
  readonly description?: string;
}

interface Operation {
  readonly operationId?: string;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema?: Schema }>> }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const DOCUMENT = openApiDocument(true) as unknown as Document;
const KEYWORDS = [
  '$ref',
  'type',
  'required',
  'properties',
  'items',
  'maxItems',
  'const',
  'pattern',
  'contentEncoding',
  'oneOf',
  'description',
];

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

/** What is wrong with a value, by the places in it; members that the schema does not name are wrong, too. */
function problems(schema: Schema, value: unknown, at = '$'): string[] {
  const unknown = Object.keys(schema).filter((keyword) => !KEYWORDS.includes(keyword));
  assert.deepEqual(unknown, [], 'keywords that are not understood here');
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace('#/components/schemas/', '');
    const target = DOCUMENT.components.schemas[name];
    assert.ok(target, schema.$ref);
    return problems(target, value, at);
  }
  if (schema.oneOf !== undefined) {
    const found = schema.oneOf.map((one) => problems(one, value, at));
    return found.filter((one) => one.length === 0).length === 1 ? [] : [`${at}: not one of`, ...found.flat()];
  }
  if ('const' in schema) return value === schema.const ? [] : [`${at}: not ${schema.const}`];
  if (schema.type === undefined || typeOf(value) !== schema.type)
    return [`${at}: ${typeOf(value)}, not ${schema.type}`];
  if (typeof value === 'string') {
    const isText = new RegExp(schema.pattern ?? '').test(value);
    const isEncoded = schema.contentEncoding === undefined || Buffer.from(value, 'base64').toString('base64') === value;
    return isText && isEncoded ? [] : [`${at}: ${value}`];
  }
  if (Array.isArray(value)) {
    const { items, maxItems = Number.POSITIVE_INFINITY } = schema;
    if (value.length > maxItems) return [`${at}: ${value.length} items`];
    return value.flatMap((item, i) => (items === undefined ? [] : problems(items, item, `${at}[${i}]`)));
  }
  if (schema.properties === undefined || typeof value !== 'object' || value === null) return [];
  const { properties, required = [] } = schema;
  const missing = required.filter((name) => !(name in value)).map((name) => `${at}.${name}: missing`);
  const members = Object.entries(value).flatMap(([name, member]) => {
    const property = properties[name];
    return property === undefined ? [`${at}.${name}: unknown`] : problems(property, member, `${at}.${name}`);
  });
  return [...missing, ...members];
}

/** Fails unless the document says that this operation may be answered in this way. */
function assertDocumented(path: string, method: string, { status, headers, body }: Answer): void {
  const where = `${method} ${path}: ${status}`;
  const response = DOCUMENT.paths[path]?.[method]?.responses[status];
  assert.ok(response, `${where} is not in the document`);
  const [type = ''] = String(headers['content-type'] ?? '').split(';');
  if (response.content === undefined) {
    assert.equal(body.length, 0, where);
    return;
  }
  const content = response.content[type];
  assert.ok(content, `${where} has ${type}, but ${Object.keys(response.content)}`);
  if (content.schema !== undefined) {
    assert.deepEqual(problems(content.schema, JSON.parse(body.toString())), [], where);
  }
}

/** A path of the document with its parameters filled in. */
const pathOf = (path: string): string => path.replace('{level}', '0').replace('{place}', '000.p/1');

test('every operation of the document is there, and is answered as it says', async (t) => {
  const server = await startServer(t);
  assertDocumented(`/${ENTRIES}`, 'post', await post(server, proposal('x')));
  let asked = 0;
  for (const [path, operations] of Object.entries(DOCUMENT.paths)) {
    const target = pathOf(path);
    assert.notEqual(routeOf(target).kind, 'none', path);
    for (const method of Object.keys(operations)) {
      const answer = await ask(server.url + target.slice(1), { method: method.toUpperCase() });
      assertDocumented(path, method, answer);
      const isThere = !target.endsWith('/successor') && method === 'get';
      assert.equal(answer.status, isThere ? 200 : method === 'get' ? 404 : 400, path);
      asked += 1;
    }
  }
  assert.equal(asked, 15);
});

test('every path of the server, with every method that it takes, is in the document', () => {
  for (const [path, methods] of Object.entries(API_PATHS)) {
    const documented = Object.keys(DOCUMENT.paths[path] ?? {}).map((method) => method.toUpperCase());
    // HEAD goes with GET without saying.
    assert.deepEqual(documented.sort(), methods.filter((method) => method !== 'HEAD').sort(), path);
  }
  for (const path of ['/checkpoint', '/tile/{level}/{place}', '/tile/entries/{place}', '/log.json', '/successor']) {
    for (const one of [path, `/api/v2${path}`]) assert.deepEqual(Object.keys(DOCUMENT.paths[one] ?? {}), ['get'], one);
  }
});

test('the document is served, and that of a read-only server has no operation that writes', async (t) => {
  const server = await startServer(t);
  assert.deepEqual(JSON.parse((await ask(`${server.url}openapi.json`)).body.toString()), openApiDocument(true));
  const { paths } = openApiDocument(false) as unknown as Document;
  const methods = new Set(Object.values(paths).flatMap((operations) => Object.keys(operations)));
  assert.deepEqual(methods, new Set(['get']));
  assert.equal(Object.keys(paths).length, Object.keys(DOCUMENT.paths).length - 1);
});

test('every reference in the document leads somewhere, and no two operations have one name', () => {
  const text = JSON.stringify(DOCUMENT);
  for (const [, name = ''] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]*)"/g)) {
    assert.ok(DOCUMENT.components.schemas[name], name);
  }
  const operations = Object.values(DOCUMENT.paths).flatMap((path) => Object.entries(path));
  assert.ok(operations.every(([method]) => METHODS.includes(method.toUpperCase())));
  const names = operations.flatMap(([, { operationId }]) => operationId ?? []);
  assert.equal(new Set(names).size, names.length);
});

/** What Node's HTTP parser answers in the server's place, with a server that has little patience. */
async function unreadAnswers(t: TestContext, method: string, target: string): Promise<Answer[]> {
  const { server, http } = await startWatched(t);
  const flooded = await ask(`${server.url}${target}`, { method, headers: { x: 'x'.repeat(20_000) } });
  const expecting = await ask(`${server.url}${target}`, { method, headers: { expect: 'a miracle' } });
  http.headersTimeout = http.requestTimeout = 100;
  const slow = server.connect();
  slow.send(`${method} /${target} HTTP/1.1\r\nHost: `);
  const [head = '', body = ''] = (await slow.end()).split('\r\n\r\n');
  const late = { status: Number(head.split(' ')[1]), headers: {}, body: Buffer.from(body) };
  return [flooded, expecting, late];
}

/** Fails unless the answers are as the document says, and the document says no more than that. */
function assertExact(path: string, method: string, answers: readonly Answer[]): void {
  for (const answer of answers) assertDocumented(path, method, answer);
  const documented = Object.keys(DOCUMENT.paths[path]?.[method]?.responses ?? {}).map(Number);
  const answered = new Set(answers.map(({ status }) => status));
  assert.deepEqual([...answered].sort(), documented.sort(), `${method} ${path}`);
}

test('the statuses that a submission is answered with are those of the document, each in its form', async (t) => {
  const told = ANSWERS.filter(({ elsewhere }) => !elsewhere);
  const answers = await Promise.all(told.map(({ answer }) => answer(t)));
  assertExact(`/${ENTRIES}`, 'post', [...answers, ...(await unreadAnswers(t, 'POST', ENTRIES))]);
});

async function serveStore(t: TestContext, get: ReadableStore['get']): Promise<string> {
  const listen = { host: '127.0.0.1', port: 0 };
  const server = await serveLog({ store: { url: 'test:', get }, listen, public: false, onError: () => {} });
  t.after(() => server.close());
  return server.url;
}

/** Servers of a store that has nothing, that has a bug, and that cannot be reached. */
const ailing = (t: TestContext): Promise<string[]> =>
  Promise.all([
    serveStore(t, () => Promise.resolve(undefined)),
    serveStore(t, () => Promise.reject(new TypeError('secret'))),
    serveStore(t, () => Promise.reject(new SteleError('unreachable', 'secret'))),
  ]);

test('the statuses that a file is answered with are those of the document, at the root and below /api/v2', async (t) => {
  const server = await startServer(t);
  const { etag } = (await ask(`${server.url}checkpoint`)).headers;
  const ailingUrls = await ailing(t);
  for (const target of ['checkpoint', 'api/v2/checkpoint']) {
    const asked = [
      {},
      { range: 'bytes=0-0' },
      { range: 'bytes=9999-' },
      { 'if-none-match': etag },
      { 'if-match': '"x"' },
    ];
    const answers = await Promise.all([
      ...asked.map((headers) => ask(`${server.url}${target}`, { headers })),
      ...ailingUrls.map((url) => ask(`${url}${target}`)),
    ]);
    assertExact(`/${target}`, 'get', [...answers, ...(await unreadAnswers(t, 'GET', target))]);
  }
});

test('the statuses of all files are those of the checkpoint', () => {
  const statusesOf = (path: string): string[] => Object.keys(DOCUMENT.paths[path]?.['get']?.responses ?? {});
  const paths = Object.keys(DOCUMENT.paths).filter((path) => routeOf(pathOf(path)).kind === 'object');
  assert.equal(paths.length, 10);
  for (const path of paths) assert.deepEqual(statusesOf(path), statusesOf('/checkpoint'), path);
});

test('the statuses that tell how the server is are those of the document', async (t) => {
  const server = await startServer(t);
  const ailingUrls = await ailing(t);
  for (const path of ['healthz', 'readyz', 'metrics', 'openapi.json']) {
    const answers = await Promise.all([server.url, ...ailingUrls].map((url) => ask(`${url}${path}`)));
    assertExact(`/${path}`, 'get', [...answers, ...(await unreadAnswers(t, 'GET', path))]);
  }
});

test('a method that the document does not have is answered with 405 and those that there are', async (t) => {
  const server = await startServer(t);
  for (const [path, operations] of Object.entries(DOCUMENT.paths)) {
    const isFile = routeOf(pathOf(path)).kind === 'object';
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      if (method.toLowerCase() in operations || (method === 'HEAD' && 'get' in operations)) continue;
      const { status, headers } = await ask(server.url + pathOf(path).slice(1), { method });
      assert.equal(status, method === 'OPTIONS' && isFile ? 204 : 405, `${method} ${path}`);
      assert.ok(headers.allow, `${method} ${path}`);
    }
  }
});

test('requests of every kind are what the document asks for, and others are not', async (t) => {
  const server = await startServer(t, { entries: { proposals: ALL_KINDS } });
  const schema = { $ref: '#/components/schemas/CreateEntryRequest' };
  const raw = { rawRequestV001: { content: base64(utf8('text')) } };
  const { p256, rsa2048 } = SIGNERS;
  for (const request of [proposal('x'), dsseRequest(utf8('{}'), p256, rsa2048), raw]) {
    assert.deepEqual(problems(schema, request), []);
    assert.equal((await post(server, request)).status, 201);
  }
  for (const request of [{}, { ...proposal('x'), ...raw }, { rawRequestV001: {} }, { other: {} }, [], 'text']) {
    assert.notDeepEqual(problems(schema, request), []);
    assert.equal((await post(server, JSON.stringify(request))).status, 400);
  }
});
