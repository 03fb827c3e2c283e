import { describe, expect, it } from 'vitest';
import { watchRequestOf } from './event_query.ts';

type Create = Readonly<Record<string, unknown>>;

function createOf(query: string, lastEventId: string | null = null): Create {
  const { create_request: create } = JSON.parse(watchRequestOf(query, lastEventId)) as {
    create_request: Create;
  };
  return create;
}

describe('the query of a watch', () => {
  it('has the fields of create_request under their names', () => {
    const query =
      'key=YQ==&range_end=Yg==&start_revision=7&prev_kv=true&progress_notify&fragment=false' +
      '&filters=NOPUT&filters=NODELETE&watch_id=3';
    expect(createOf(query)).toEqual({
      key: 'YQ==',
      range_end: 'Yg==',
      start_revision: '7',
      watch_id: '3',
      prev_kv: true,
      progress_notify: true,
      fragment: false,
      filters: ['NOPUT', 'NODELETE'],
    });
  });

  it('may be plain text', () => {
    expect(createOf('key_utf8=%C3%A9&range_end_utf8=z')).toMatchObject({
      key: 'w6k=',
      range_end: 'eg==',
    });
  });

  it.each([
    ['key_utf8=ab', 'YWI=', 'YWM='],
    ['key=Yf8=', 'Yf8=', 'Yg=='],
    ['key=//8=', '//8=', 'AA=='],
    ['', 'AA==', 'AA=='],
  ])('asks for a prefix: %s', (query, key, rangeEnd) => {
    expect(createOf(`${query}&prefix=true`)).toMatchObject({ key, range_end: rangeEnd });
  });

  it('knows a plus sign that was not escaped', () => {
    expect(createOf('key=++++')['key']).toBe('++++');
  });

  it('ignores what it does not know', () => {
    expect(createOf('key=YQ==&nope=1&lastEventId=5')).not.toHaveProperty('nope');
  });

  it.each(['key=*', 'range_end=***', 'prefix=yes', 'prev_kv=1'])('refuses %s', (query) => {
    expect(() => watchRequestOf(query, null)).toThrowError(/illegal base64|neither true nor false/);
  });

  it('goes on behind the last event, whatever the query says', () => {
    expect(createOf('key=YQ==&start_revision=3', '41')['start_revision']).toBe('42');
    expect(createOf('key=YQ==&start_revision=3', 'x')['start_revision']).toBe('3');
    expect(createOf('key=YQ==', '')).not.toHaveProperty('start_revision');
  });
});
