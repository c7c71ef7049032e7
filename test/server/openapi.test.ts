/** The OpenAPI document against the server: each of its operations is there, and answers are as it says. */

import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { test } from 'node:test';
import { BusyError } from '../../src/errors.ts';
import { API_PATHS, openApiDocument, parseTokens, routeOf, type Writing } from '../../src/server/index.ts';
import { ALL_KINDS, base64, dsseRequest, SIGNERS, utf8 } from '../entry/proposals.ts';
import { openWriter } from '../sequencer/harness.ts';
import { type Answer, ask, ENTRIES, post, proposal, startServer, type TestServerOptions } from './post.ts';

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

test('every operation of the document is there, and is answered as it says', async (t) => {
  const server = await startServer(t);
  assertDocumented(`/${ENTRIES}`, 'post', await post(server, proposal('x')));
  let asked = 0;
  for (const [path, operations] of Object.entries(DOCUMENT.paths)) {
    const target = path.replace('{level}', '0').replace('{place}', '000.p/1');
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

const failing = (error: Error) => ({
  writing: (real: Writing): Writing => ({ ...real, submitOne: () => Promise.reject(error) }),
});
const SETUPS: readonly [status: number, options: TestServerOptions][] = [
  [201, {}],
  [401, { entries: { tokens: parseTokens('a-token-that-nobody-has', 'x') } }],
  [409, { entries: { duplicates: 'conflict' } }],
  [413, { entries: { maxBodyBytes: 100 } }],
  [429, { entries: { perMinute: 1 } }],
  [500, failing(new Error('x'))],
  [503, failing(new BusyError('x', 1_000))],
];

for (const [status, options] of SETUPS) {
  test(`an answer of ${status} to a submission is as the document says`, async (t) => {
    const server = await startServer(t, options);
    await post(server, proposal('x'));
    const request = proposal('y');
    await post(server, request);
    const answer = await post(server, request);
    assert.equal(answer.status, status);
    assertDocumented(`/${ENTRIES}`, 'post', answer);
  });
}

test('answers of a frozen log, of one that is not ready, and to whoever has an object are as the document says', async (t) => {
  const server = await startServer(t, { writing: (real) => ({ ...real, trouble: () => 'it is frozen' }) });
  const { etag } = (await ask(`${server.url}checkpoint`)).headers;
  const unchanged = await ask(`${server.url}checkpoint`, { headers: { 'if-none-match': etag } });
  assertDocumented('/checkpoint', 'get', unchanged);
  assertDocumented('/readyz', 'get', await ask(`${server.url}readyz`));
  await (await openWriter(server.log)).sequencer.freeze();
  const frozen = await post(server, proposal('x'));
  assert.deepEqual([unchanged.status, frozen.status], [304, 405]);
  assertDocumented(`/${ENTRIES}`, 'post', frozen);
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
