import { expect, it } from 'vitest';
import { schemaMismatch } from './schema.ts';

it('takes rows of its own layout and no others, and says what can be done with those', () => {
  expect(schemaMismatch(2, 2)).toBeNull();
  expect(schemaMismatch(1, 2)).toBe(
    'the data was written by an earlier release (schema version 1, this one knows 2): ' +
      'go back to that release; to move on, copy its keys through the API to a new cluster',
  );
  expect(schemaMismatch(3, 2)).toBe(
    'the data was written by a later release (schema version 3, this one knows 2): ' +
      'run that release, or a later one',
  );
});
