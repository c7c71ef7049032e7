import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentName, parseConfig, SETTINGS, storeUrl } from '../../src/cli/config.ts';
import { EXIT_STATUS } from '../../src/cli/exit-codes.ts';
import { parseByteCount, parseCount, parseDuration } from '../../src/cli/quantities.ts';
import { isSteleError } from '../../src/errors.ts';

const MINIMAL = 'origin: log.example/demo\nstores: { public: public, private: private }\n';

function parse(text: string, environment: Record<string, string> = {}, flags: Record<string, string> = {}) {
  return parseConfig(text, '/logs/demo/stele.yaml', '/logs/demo', environment, flags);
}

function refusal(text: string, environment: Record<string, string> = {}, flags: Record<string, string> = {}): string {
  try {
    parse(text, environment, flags);
  } catch (error) {
    assert.ok(isSteleError(error, 'config'), String(error));
    return error.message;
  }
  return assert.fail(`accepted:\n${text}`);
}

test('a configuration that is wrong, unknown or contradictory is refused, naming file or source, and field (LIMIT-5)', () => {
  const cases: readonly [text: string, message: RegExp][] = [
    [`${MINIMAL}colour: red\n`, /stele\.yaml:3: colour: there is no such setting/],
    [`${MINIMAL}publish: { intervall: 1s }\n`, /stele\.yaml:3: publish\.intervall: there is no such setting/],
    [`${MINIMAL}publish:\n  interval: 1\n`, /stele\.yaml:4: publish\.interval: expected a duration with its unit.*"1"/],
    [`${MINIMAL}publish: { interval: 1.5s }\n`, /publish\.interval: expected a duration/],
    [`${MINIMAL}publish: { interval: -1s }\n`, /publish\.interval: expected a duration/],
    [`${MINIMAL}publish: soon\n`, /stele\.yaml:3: publish: /],
    [`${MINIMAL}queue: { poll: [1s] }\n`, /queue\.poll: /],
    [`${MINIMAL}batch: { entries: many }\n`, /batch\.entries: expected a whole number/],
    [`${MINIMAL}batch: { bytes: 8MB }\n`, /batch\.bytes: expected a size in bytes.*"8MB"/],
    [`${MINIMAL}maxUnpublished: { age: 60 s }\n`, /maxUnpublished\.age: expected a duration/],
    [`${MINIMAL}maxUnpublished:\n  entries: 0\n`, /stele\.yaml:4: maxUnpublished\.entries: expected more than 0/],
    [`${MINIMAL}maxUnpublished: { age: off }\n`, /maxUnpublished\.age: expected more than 0/],
    [`${MINIMAL}queue: { poll: 0 }\n`, /queue\.poll: expected more than 0/],
    [`${MINIMAL}entries: { kinds: [intoto] }\n`, /entries\.kinds: expected some of hashedrekord, dsse, raw/],
    [`${MINIMAL}entries: { kinds: [] }\n`, /entries\.kinds: expected one kind at least/],
    [`${MINIMAL}server: { duplicates: refuse }\n`, /server\.duplicates: /],
    [`${MINIMAL}server: { timeout: 0 }\n`, /server\.timeout: expected more than 0/],
    [`${MINIMAL}server: { port: 80 }\n`, /server\.port: there is no such setting/],
    [`${MINIMAL}url: log.example\n`, /stele\.yaml:3: url: /],
    [`${MINIMAL}url: ftp://log.example/\n`, /url: /],
    [`${MINIMAL}vkey: other.example+00000000+AAAA\n`, /vkey: is not a key of origin log\.example\/demo/],
    [`${MINIMAL}origin: twice\n`, /stele\.yaml: .*unique/],
    ['stores: { public: public, private: private }\n', /origin: /],
    ['origin: log.example/demo\n', /stores: /],
    ['origin: log.example/demo\nstores: { public: public }\n', /stores\.private: /],
    ['origin: log.example/demo\nstores: { public: same, private: ./same }\n', /stores\.private: is the public store/],
    ['origin: log.example/demo\nstores: { public: ., private: private }\n', /stores\.private: is the public store/],
    [`${MINIMAL}queue: { url: public/queue }\n`, /queue\.url: is the public store or inside it/],
    [
      'origin: o\nstores: { public: "s3://a/log?region=x", private: "s3://a/log/p?region=x" }\n',
      /stores\.private: is the public store or inside it/,
    ],
    ['origin: [a\n', /stele\.yaml: /],
    ['just text', /expected settings/],
    ['', /expected settings/],
    ['a: &a [x]\nb: [*a, *a]\n', /stele\.yaml: /],
  ];
  for (const [text, message] of cases) assert.match(refusal(text), message, text);
});

test('an override that is wrong is refused, naming the variable or the flag', () => {
  assert.match(refusal(MINIMAL, { STELE_PUBLISH_INTERVAL: '1' }), /^STELE_PUBLISH_INTERVAL: publish\.interval: /);
  assert.match(
    refusal(MINIMAL, { STELE_PUBLISH_INTERVALL: '1s' }),
    /^STELE_PUBLISH_INTERVALL: there is no such setting/,
  );
  assert.match(refusal(MINIMAL, {}, { 'queue.poll': 'x' }), /^--queue\.poll: queue\.poll: /);
});

test('flags win over the environment, that wins over the file', () => {
  const text = `${MINIMAL}publish: { interval: 1s, republish: 1h }\nqueue: { poll: 3s }\n`;
  const environment = { STELE_PUBLISH_INTERVAL: '2s', STELE_QUEUE_POLL: '4s', STELE_SERVICE_HOST: '10.0.0.1' };
  const config = parse(text, environment, { 'publish.interval': '5s' });
  assert.deepEqual(config.publish, { interval: 5_000, republish: 3_600_000 });
  assert.deepEqual(config.queue, { poll: 4_000 });
});

test('every setting can come from the environment and from a flag, also where its section is not in the file', () => {
  assert.equal(environmentName('maxUnpublished.entries'), 'STELE_MAX_UNPUBLISHED_ENTRIES');
  for (const setting of Object.keys(SETTINGS)) {
    const [value, expected] = setting.endsWith('cache')
      ? ['off', false]
      : /entries|bytes|window/.test(setting)
        ? ['70000', 70_000]
        : ['7s', 7_000];
    const [section = '', field = ''] = setting.split('.');
    for (const config of [
      parse(MINIMAL, { [environmentName(setting)]: value }),
      parse(MINIMAL, {}, { [setting]: value }),
    ]) {
      const found = Object.entries(config).find(([name]) => name === section)?.[1];
      assert.deepEqual(found, { [field]: expected }, setting);
    }
  }
});

test('folders of stores are relative to stele.yaml, and URLs are URLs', () => {
  assert.equal(storeUrl(parse(MINIMAL), 'public'), 'file:///logs/demo/public');
  const elsewhere = parse('origin: o\nstores: { public: "https://log.example/", private: /var/log stele }\n');
  assert.equal(storeUrl(elsewhere, 'public'), 'https://log.example/');
  assert.equal(storeUrl(elsewhere, 'private'), 'file:///var/log%20stele');
});

test('off and 0 are no time at all, and units are exact', () => {
  assert.deepEqual(parse(`${MINIMAL}publish: { interval: 0, republish: off }\n`).publish, {
    interval: 0,
    republish: 0,
  });
  const durations: [string, number][] = [
    ['0', 0],
    ['off', 0],
    ['1ms', 1],
    ['100ms', 100],
    ['1s', 1_000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
  ];
  for (const [text, expected] of durations) assert.equal(parseDuration('f', text), expected);
  assert.equal(parseByteCount('f', '65536'), 65_536);
  assert.equal(parseByteCount('f', '128MiB'), 134_217_728);
  assert.equal(parseCount('f', '9007199254740991'), Number.MAX_SAFE_INTEGER);
});

test('a quantity with a sign, an exponent, spaces, leading zeros or another unit is refused', () => {
  const refused = (parseIt: () => number) => assert.throws(parseIt, (error) => isSteleError(error, 'config'));
  for (const text of ['', '1', '1 s', '-1s', '1.5s', '1S', '1min', '1e3ms', 'constructor', '9007199254740992d']) {
    refused(() => parseDuration('f', text));
  }
  for (const text of ['', '-1', '01', '+1', '1e3', ' 1', '1.0', '0x10', '9007199254740992'])
    refused(() => parseCount('f', text));
  for (const text of ['', 'MiB', '1MB', '1mib', '1.5MiB', '-1']) refused(() => parseByteCount('f', text));
});

test('only what a later try may change exits with 3, and only an answer exits with 1', () => {
  const codesWith = (status: number) =>
    Object.entries(EXIT_STATUS)
      .filter(([, s]) => s === status)
      .map(([code]) => code)
      .sort();
  assert.deepEqual(codesWith(0), []);
  assert.deepEqual(codesWith(1), [
    'conflict',
    'corrupt',
    'fork',
    'invalid-proof',
    'malformed',
    'not-found',
    'unverified',
  ]);
  assert.deepEqual(codesWith(2), ['config', 'frozen', 'limit', 'refused']);
  assert.deepEqual(codesWith(3), [
    'aborted',
    'busy',
    'locked',
    'outcome-unknown',
    'precondition-failed',
    'unreachable',
  ]);
});

test('what a server takes may be written as a list or in one line, from wherever it comes', () => {
  const inFile = parse(
    `${MINIMAL}entries: { kinds: [hashedrekord, dsse] }\nserver: { rateLimit: 0, listen: "[::]:80" }\n`,
  );
  assert.deepEqual(inFile.entries?.kinds, ['hashedrekord', 'dsse']);
  assert.deepEqual([inFile.server?.rateLimit, inFile.server?.listen], [0, '[::]:80']);
  assert.deepEqual(parse(MINIMAL, { STELE_ENTRIES_KINDS: 'raw dsse' }).entries?.kinds, ['raw', 'dsse']);
  const flags = parse(MINIMAL, {}, { 'entries.kinds': 'hashedrekord,raw', 'server.timeout': '5s' });
  assert.deepEqual([flags.entries?.kinds, flags.server?.timeout], [['hashedrekord', 'raw'], 5_000]);
});
