import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeCommand } from '../../api/command.ts';
import { V2ChangeSchema, V2ExpireSchema, V2Method } from '../../api/gen/command_pb.ts';
import { V2Error } from '../../api/v2/error.ts';
import { limits } from '../../config.ts';
import { StateMachine } from '../machine.ts';
import { becomeNewCluster } from '../restore.ts';
import { Single } from '../testing/single.ts';

const changeable = limits as { -readonly [name in keyof typeof limits]: number };
const usual = { ...limits };
afterEach(() => void Object.assign(changeable, usual));

let member: Single;
let expiries = 0n;
beforeEach(() => {
  member = new Single();
  changeable.v2RemovalNodesMax = 4;
});

function change(path: string, fields: MessageInitShape<typeof V2ChangeSchema> = {}) {
  const value = create(V2ChangeSchema, { path: `/1${path}`, value: 'x', ...fields });
  return member.apply({ case: 'v2Change', value });
}

/** Ends what is over. @returns the keys of the events */
function expire(): string[] {
  const value = create(V2ExpireSchema, { countMax: 10 });
  const origin = { memberId: 'm1', epoch: 2n, sequence: ++expiries };
  const request = { case: 'v2Expire', value } as const;
  const result = member.applyData(encodeCommand({ ...origin, timeMs: 5n, request }));
  return (result?.v2Changes ?? []).map(({ event }) => event.node.key);
}

const isThere = (path: string) => member.machine.v2.file(`/1${path}`) !== null;

describe('a directory with more in it than one command takes away', () => {
  const remove = (path: string) =>
    change(path, { method: V2Method.DELETE, recursive: true, value: '' });

  it('is deleted when what is in it has been', () => {
    for (const path of ['/d/a', '/d/b/x', '/d/b/y']) change(path);
    const { error, v2Changes } = remove('/d');
    expect(error).toBeInstanceOf(V2Error);
    expect(error).toMatchObject({ errorCode: 300 });
    expect(v2Changes).toBeNull();
    expect(isThere('/d/b/y')).toBe(true);
    expect(remove('/d/b').v2Changes?.[0]?.removed).toHaveLength(3);
    expect(remove('/d').error).toBeNull();
  });

  it('ends in parts, what is inside first, and is told of once', () => {
    change('/d', { dir: true, expirationMs: 1n });
    for (const path of ['/d/a', '/d/b/x/y', '/d/b/z', '/d/c', '/d/e']) change(path);
    change('/later', { expirationMs: 1n });
    expect(expire()).toEqual([]);
    expect(expire()).toEqual(['/1/d', '/1/later']);
    expect(member.machine.v2.names('/1')).toEqual([]);
    expect(member.machine.v2.nextExpirationMs).toBeNull();
  });
});

describe('a new cluster that is made of a snapshot', () => {
  it('begins with the tree, its index and its history', () => {
    change('/a', { expirationMs: 9n });
    change('/b');
    member.machine.flush();
    becomeNewCluster(member.store);
    const { v2 } = new StateMachine(member.store);
    expect([v2.index, v2.names('/1'), v2.nextExpirationMs]).toEqual([5, ['a', 'b'], 9]);
    expect(v2.eventAfter('/1/a', false, 4)?.index).toBe(4);
  });
});
