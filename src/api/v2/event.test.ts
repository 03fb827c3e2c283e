import { describe, expect, it } from 'vitest';
import { encodeV2Error, V2Error } from './error.ts';
import { encodeV2Event, isCreation, rfc3339, ttlSecondsAt, type V2Node } from './event.ts';

const file: V2Node = {
  key: '/a',
  value: 'x',
  dir: false,
  expirationMs: 0,
  ttlSeconds: 0,
  nodes: [],
  modifiedIndex: 5,
  createdIndex: 4,
};

describe('an event in JSON', () => {
  it('has its fields in the order of etcd', () => {
    const node = { ...file, expirationMs: 1_700_000_000_120, ttlSeconds: 3 };
    expect(encodeV2Event({ action: 'set', node, prevNode: file })).toBe(
      '{"action":"set","node":{"key":"/a","value":"x","expiration":"2023-11-14T22:13:20.12Z",' +
        '"ttl":3,"modifiedIndex":5,"createdIndex":4},' +
        '"prevNode":{"key":"/a","value":"x","modifiedIndex":5,"createdIndex":4}}\n',
    );
  });

  it('leaves out what is nothing: of the root all but that it is a directory', () => {
    const root = { ...file, key: '', value: null, dir: true, modifiedIndex: 0, createdIndex: 0 };
    const text = encodeV2Event({ action: 'get', node: root, prevNode: null });
    expect(text).toBe('{"action":"get","node":{"dir":true}}\n');
  });

  it('shows an empty value, and escapes as Go does', () => {
    const node = { ...file, value: '' };
    expect(encodeV2Event({ action: 'get', node, prevNode: null })).toContain('"value":""');
    const odd = { ...file, value: '<>&\u2028"' };
    const text = encodeV2Event({ action: 'get', node: odd, prevNode: null });
    expect(text).toContain('"value":"\\u003c\\u003e\\u0026\\u2028\\""');
  });

  it('is a creation when nothing was there before', () => {
    expect(isCreation({ action: 'set', node: file, prevNode: null })).toBe(true);
    expect(isCreation({ action: 'create', node: file, prevNode: null })).toBe(true);
    expect(isCreation({ action: 'set', node: file, prevNode: file })).toBe(false);
    expect(isCreation({ action: 'get', node: file, prevNode: null })).toBe(false);
  });
});

describe('times', () => {
  it.each([
    [0, '1970-01-01T00:00:00Z'],
    [1_700_000_000_500, '2023-11-14T22:13:20.5Z'],
    [1_700_000_000_001, '2023-11-14T22:13:20.001Z'],
    [1_700_000_010_000, '2023-11-14T22:13:30Z'],
  ])('%i is %s', (ms, text) => {
    expect(rfc3339(ms)).toBe(text);
  });

  it('count what is left in whole seconds, rounded up', () => {
    expect([1, 1_000, 1_001].map((ms) => ttlSecondsAt(ms, 0))).toEqual([1, 1, 2]);
    expect(ttlSecondsAt(0, 5_000)).toBe(0);
    expect(ttlSecondsAt(1_000, 3_500)).toBe(-2);
  });
});

describe('an error in JSON', () => {
  it('has its cause where there is one', () => {
    expect(encodeV2Error(new V2Error(100, '/a', 7))).toBe(
      '{"errorCode":100,"message":"Key not found","cause":"/a","index":7}\n',
    );
    expect(encodeV2Error(new V2Error(300, '', 0))).toBe(
      '{"errorCode":300,"message":"Raft Internal Error","index":0}\n',
    );
  });
});
