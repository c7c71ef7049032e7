import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue } from './catalogue.ts';

test('nine of ten cases of the catalogue are tested, and the others are explained', () => {
  const cases = catalogue();
  assert.equal(cases.length, 119);
  const open = cases.filter(({ files }) => files.length === 0);
  assert.deepEqual(
    open.filter(({ reason }) => reason === undefined).map(({ id }) => id),
    [],
  );
  assert.ok(open.length <= cases.length / 10, `${open.length} are not covered`);
  assert.deepEqual(
    cases.filter(({ files, reason }) => files.length > 0 && reason !== undefined).map(({ id }) => id),
    [],
    'what is tested needs no reason',
  );
});
