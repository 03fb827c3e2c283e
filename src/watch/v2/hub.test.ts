import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { V2ChangeSchema, V2Method } from '../../api/gen/command_pb.ts';
import { V2Error } from '../../api/v2/error.ts';
import { Single } from '../../state/testing/single.ts';
import { V2Hub, type V2WatchSpec } from './hub.ts';

let member: Single;
let hub: V2Hub;
let soon: (() => void)[];

beforeEach(() => {
  member = new Single();
  soon = [];
  hub = new V2Hub({ source: () => member.machine.v2, soon: (callback) => soon.push(callback) });
});

const settle = () => {
  for (const callback of soon.splice(0)) callback();
};

function change(path: string, fields: MessageInitShape<typeof V2ChangeSchema> = {}): void {
  const value = create(V2ChangeSchema, { path: `/1${path}`, value: 'x', ...fields });
  const { error, v2Changes } = member.apply({ case: 'v2Change', value });
  expect(error).toBeNull();
  hub.applied(v2Changes ?? []);
}

const remove = (path: string) =>
  change(path, { method: V2Method.DELETE, recursive: true, value: '' });

/** What a watch of that path is told: keys of events, and `lost`. */
function watch(path: string, spec: Partial<V2WatchSpec> = {}) {
  const told: string[] = [];
  const defaults = { recursive: false, stream: false, fromIndex: 0 };
  const cancel = hub.watch(
    { path: `/1${path}`, ...defaults, ...spec },
    {
      event: ({ action, node }) => told.push(`${action} ${node.key.slice(2)}`),
      lost: () => told.push('lost'),
    },
  );
  return { told, cancel };
}

describe('who waits for a node', () => {
  it('is told of the first change of it, and of nothing else', () => {
    const { told } = watch('/a');
    change('/b');
    change('/a/b');
    settle();
    expect(told).toEqual([]);
    remove('/a');
    change('/a');
    change('/a');
    settle();
    expect(told).toEqual(['delete /a']);
    expect(hub.count).toBe(0);
  });

  it('is told of all changes on a stream, each once, until it goes', () => {
    const { told, cancel } = watch('/a', { stream: true });
    change('/a');
    change('/a');
    remove('/a');
    settle();
    expect(told).toEqual(['set /a', 'set /a', 'delete /a']);
    cancel();
    change('/a');
    settle();
    expect(told).toHaveLength(3);
  });

  it('hears of the directory that takes the node away, if it was there', () => {
    change('/d/a');
    const there = watch('/d/a');
    const missing = watch('/d/b');
    remove('/d');
    settle();
    expect(there.told).toEqual(['delete /d']);
    expect(missing.told).toEqual([]);
  });

  it('is not told of a refresh', () => {
    change('/a');
    const { told } = watch('/a');
    change('/a', { value: '', refresh: true, expirationMs: 1n });
    settle();
    expect(told).toEqual([]);
  });
});

describe('who waits for a tree', () => {
  it('is told of everything in it that is not hidden from there', () => {
    const { told } = watch('', { recursive: true, stream: true });
    const hidden = watch('/_h', { recursive: true, stream: true });
    change('/a/b/c');
    change('/_h/a');
    change('/a/_h');
    settle();
    expect(told).toEqual(['set /a/b/c']);
    expect(hidden.told).toEqual(['set /_h/a']);
  });
});

describe('who comes late', () => {
  it('is told of what has happened since that index, once or all of it', () => {
    change('/a');
    change('/b');
    change('/a');
    expect(watch('/a', { fromIndex: 4 }).told).toEqual(['set /a']);
    const { told } = watch('', { fromIndex: 5, recursive: true, stream: true });
    expect(told).toEqual(['set /b', 'set /a']);
    change('/c');
    settle();
    expect(told).toEqual(['set /b', 'set /a', 'set /c']);
  });

  it('waits for an index that is still to come', () => {
    const { told } = watch('/a', { fromIndex: 5 });
    change('/a');
    settle();
    expect(told).toEqual([]);
    change('/a');
    settle();
    expect(told).toEqual(['set /a']);
  });

  it('is refused when that is forgotten, with the bounds', () => {
    for (let i = 0; i < 1_000; i++) change('/a');
    change('/a');
    const { index } = member.machine.v2;
    const cause = `the requested history has been cleared [${index - 999}/4]`;
    expect(() => watch('/a', { fromIndex: 4 })).toThrow(V2Error);
    expect(() => watch('/a', { fromIndex: index - 999 })).not.toThrow();
    try {
      watch('/a', { fromIndex: 4 });
    } catch (error) {
      expect(error).toMatchObject({ errorCode: 401, reason: cause, index });
    }
  });

  it('does not get twice what is applied and not told yet', () => {
    const first = watch('/x');
    change('/a');
    const { told } = watch('/a', { fromIndex: 4, stream: true });
    settle();
    expect(told).toEqual(['set /a']);
    expect(first.told).toEqual([]);
  });
});

describe('a snapshot that is installed', () => {
  it('is told from its history, and to whom it does not reach back', () => {
    const near = watch('/a', { stream: true });
    change('/a');
    settle();
    // The member was away while others went on.
    member.apply({ case: 'v2Change', value: create(V2ChangeSchema, { path: '/1/a' }) });
    hub.restored();
    expect(near.told).toEqual(['set /a', 'set /a']);
    for (let i = 0; i < 1_001; i++) {
      member.apply({ case: 'v2Change', value: create(V2ChangeSchema, { path: '/1/b' }) });
    }
    hub.restored();
    expect(near.told.at(-1)).toBe('lost');
    expect(hub.count).toBe(0);
  });
});
