import { describe, expect, it } from 'vitest';
import { WatchCreateRequest_FilterType as Filter } from '../api/gen/rpc_pb.ts';
import { limits } from '../config.ts';
import { deleteRange, ops, put, txn } from '../state/testing/single.ts';
import { Client, requests } from './testing/client.ts';
import { Member } from './testing/member.ts';

function world() {
  const member = new Member();
  const client = new Client(member);
  const putKey = (key: string, value = '') => {
    member.write({ case: 'put', value: put(key, value) });
    member.apply();
  };
  return { member, client, putKey };
}

describe('ids of watches', () => {
  it('are given out from zero on, and not again', () => {
    const { client } = world();
    client.watch('a');
    client.watch('b', '', { watchId: 1n });
    client.watch('c');
    client.stream.receive(requests.cancel(2n));
    client.watch('d');
    expect(client.take()).toEqual([
      '0@1 created',
      '1@1 created',
      '2@1 created',
      '2@1 canceled',
      '3@1 created',
    ]);
  });

  it('may be chosen, once', () => {
    const { client, putKey } = world();
    client.watch('a', '', { watchId: 7n });
    client.watch('b', '', { watchId: 7n });
    putKey('a');
    putKey('b');
    expect(client.take()).toEqual([
      '7@1 created',
      '-1@1 created canceled mvcc: duplicate watch ID provided on the WatchStream',
      '7@2 a=',
    ]);
    client.stream.receive(requests.cancel(7n));
    client.watch('b', '', { watchId: 7n });
    putKey('b');
    expect(client.take()).toEqual(['7@3 canceled', '7@3 created', '7@4 b=']);
  });
});

describe('a watch that cannot be', () => {
  it.each([
    ['b', 'a', {}, 'mvcc: watcher range is empty'],
    ['b', 'b', {}, 'mvcc: watcher range is empty'],
    ['b', '', { startRevision: -1n }, 'etcdserver: mvcc: required revision has been compacted'],
  ])('from %s to %s with %o is refused', (key, end, fields, reason) => {
    const { client } = world();
    client.watch(key, end, fields);
    expect(client.take()).toEqual([`-1@1 created canceled ${reason}`]);
  });

  it('is refused with the reason of who may not read', () => {
    const { member, client, putKey } = world();
    client.refusal = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    client.watch('a');
    expect(client.take()).toEqual([`-1@1 created canceled ${client.refusal}`]);
    expect(member.hub.stats.watchers).toBe(0);
    putKey('a');
    expect(client.take()).toEqual([]);
  });

  it('is refused when there are too many', () => {
    const { client } = world();
    for (let i = 0; i < limits.watchesPerStreamMax; i++) client.watch('a');
    client.take();
    client.watch('a');
    expect(client.take()).toEqual(['-1@1 created canceled etcdserver: too many requests']);
    client.stream.receive(requests.cancel(5n));
    client.watch('a');
    expect(client.take()).toEqual(['5@1 canceled', `${limits.watchesPerStreamMax}@1 created`]);
  });

  it('is refused when the keys of all take too much memory', () => {
    const { member, client } = world();
    const others = new Client(member);
    const key = 'k'.repeat(limits.watcherKeyBytesMax / 8);
    for (let i = 0; i < 8; i++) others.watch(key);
    client.watch('a');
    expect(client.take()).toEqual(['-1@1 created canceled etcdserver: too many requests']);
    others.stream.close();
    client.watch('a');
    expect(client.take()).toEqual(['0@1 created']);
  });
});

describe('rights that are taken away', () => {
  it('end the watches that need them', () => {
    const { client, putKey } = world();
    client.watch('a');
    client.refusal = 'no more';
    client.stream.recheck();
    putKey('a');
    expect(client.take()).toEqual(['0@1 created', '0@1 canceled no more']);
  });
});

describe('keys', () => {
  it('that are empty stand for the least key', () => {
    const { client, putKey } = world();
    client.watch('');
    client.watch('', '\0');
    putKey('a');
    putKey('\0', '1');
    expect(client.take().slice(2)).toEqual(['1@2 a=', '0@3 \0=1', '1@3 \0=1']);
  });

  it('are filtered by what happened to them', () => {
    const { member, client, putKey } = world();
    client.watch('a', '', { filters: [Filter.NOPUT] });
    client.watch('a', '', { filters: [Filter.NODELETE] });
    client.watch('a', '', { filters: [Filter.NOPUT, Filter.NODELETE] });
    putKey('a');
    member.write({ case: 'deleteRange', value: deleteRange('a') });
    member.apply();
    expect(client.take().slice(3)).toEqual(['1@2 a=', '0@3 -a']);
  });
});

describe('a request for progress', () => {
  it('is not answered while there is no watch', () => {
    const { client, putKey } = world();
    client.stream.receive(requests.progress());
    putKey('a');
    client.watch('a');
    expect(client.take()).toEqual(['0@2 created']);
  });

  it('is answered once all watches of the stream have everything', () => {
    const { member, client, putKey } = world();
    for (let i = 0; i < 1_500; i++) member.write({ case: 'put', value: put('a') });
    putKey('a');
    client.watch('b');
    client.watch('a', '', { startRevision: 2n });
    client.stream.receive(requests.progress());
    client.stream.receive(requests.progress());
    member.settle();
    const kinds = client.responses.slice(2).map(({ watchId, events }) => [watchId, events.length]);
    expect(kinds).toEqual([
      [1n, 1_000],
      [1n, 501],
      [-1n, 0],
    ]);
  });

  it('waits for the start of a watch in the future', () => {
    const { client, putKey } = world();
    client.watch('a', '', { startRevision: 3n });
    client.stream.receive(requests.progress());
    putKey('b');
    expect(client.take()).toEqual(['0@1 created']);
    putKey('b');
    expect(client.take()).toEqual(['-1@3']);
  });

  it('waits for a client that does not read', () => {
    const { member, client } = world();
    client.watch('a');
    client.stall(1_000_000);
    client.stream.receive(requests.progress());
    member.settle();
    expect(client.take()).toEqual(['0@1 created']);
    client.read();
    member.settle();
    expect(client.take()).toEqual(['-1@1']);
  });

  it('is forgotten with its stream', () => {
    const { member, client, putKey } = world();
    client.watch('a', '', { startRevision: 3n });
    client.stream.receive(requests.progress());
    client.stream.close();
    putKey('b');
    putKey('b');
    member.settle();
    expect(client.take()).toEqual(['0@1 created']);
  });
});

describe('notices of progress', () => {
  it('go to the watches that want them and have heard nothing', () => {
    const { client, putKey } = world();
    client.watch('a', '', { progressNotify: true });
    client.watch('b', '', { progressNotify: true });
    client.watch('c');
    client.watch('d', '', { progressNotify: true, startRevision: 9n });
    putKey('a');
    client.take();
    expect(client.stream.wantsProgress).toBe(true);
    client.stream.notifyProgress();
    expect(client.take()).toEqual(['1@2']);
    client.stream.notifyProgress();
    expect(client.take()).toEqual(['0@2', '1@2']);
  });
});

describe('responses that are too large', () => {
  it('are split for a watch that asked for it', () => {
    const member = new Member();
    const client = new Client(member, undefined, 250);
    client.watch('a', 'z', { fragment: true });
    client.watch('a', 'z');
    const success = ['a', 'b', 'c', 'd', 'e'].map((key) => ops.put(key, key.repeat(80)));
    member.write({ case: 'txn', value: txn({ success }) });
    member.apply();
    const brief = client.responses
      .slice(2)
      .map(({ watchId, fragment, events }) => [watchId, events.length, fragment]);
    expect(brief).toEqual([
      [0n, 2, true],
      [0n, 2, true],
      [0n, 1, false],
      [1n, 5, false],
    ]);
  });

  it('keep an event that is too large by itself', () => {
    const member = new Member();
    const client = new Client(member, undefined, 250);
    client.watch('a', 'z', { fragment: true });
    const success = ['a', 'b'].map((key) => ops.put(key, key.repeat(400)));
    member.write({ case: 'txn', value: txn({ success }) });
    member.apply();
    expect(client.responses.slice(1).map(({ fragment }) => fragment)).toEqual([true, false]);
  });
});

describe('a stream that is saved', () => {
  it('is gone on with where it was, by an instance that has applied less', () => {
    const { member, client, putKey } = world();
    client.watch('a', '', { prevKv: true, progressNotify: true });
    client.watch('b', '', { filters: [Filter.NOPUT], watchId: 9n });
    putKey('a', '2');
    putKey('a', '3');
    const saved = client.save();
    expect(saved.length).toBeLessThan(150);
    client.stream.close();
    member.restart(false);
    expect(member.revision()).toBe(1);
    client.take();
    client.resume(saved);
    client.stream.receive(requests.progress());
    member.apply();
    member.settle();
    expect(client.take()).toEqual([]);
    putKey('a', '4');
    client.watch('c');
    expect(client.take()).toEqual(['0@4 a=4/3', '-1@4', '1@4 created']);
    expect(client.stream.wantsProgress).toBe(true);
  });

  it('is saved again when history is compacted', () => {
    const { member, client, putKey } = world();
    client.watch('b');
    putKey('a');
    expect(client.changes).toBe(0);
    const value = { $typeName: 'etcdserverpb.CompactionRequest' as const, physical: false };
    member.write({ case: 'compaction', value: { ...value, revision: 2n } });
    member.apply();
    expect(client.changes).toBe(1);
  });
});

describe('streams that all together hold too much', () => {
  it('wait until they are read to the end, and lose nothing', () => {
    const { member, putKey } = world();
    const [dead, slow, quick] = [new Client(member), new Client(member), new Client(member)];
    for (const each of [dead, slow, quick]) each.watch('a');
    dead.stall();
    dead.responseBytes = limits.watchBufferBytesMax;
    // This much would do no harm if the other held less.
    slow.stall(limits.streamHighWaterBytes / 2);
    putKey('a', '2');
    putKey('a', '3');
    expect(quick.take()).toEqual(['0@1 created', '0@2 a=2', '0@3 a=3']);
    expect(slow.take()).toEqual(['0@1 created']);
    expect(dead.take()).toEqual(['0@1 created', '0@2 a=2']);
    slow.read();
    member.settle();
    expect(slow.take()).toEqual(['0@3 a=2 a=3']);
    dead.read();
    member.settle();
    expect(dead.take()).toEqual(['0@3 a=3']);
  });

  it('are themselves again when there is room', () => {
    const { member, putKey } = world();
    const [dead, slow] = [new Client(member), new Client(member)];
    for (const each of [dead, slow]) each.watch('a');
    dead.stall();
    dead.responseBytes = limits.watchBufferBytesMax;
    slow.stall(100);
    putKey('a', '2');
    expect(member.hub.stats.slowWatchers).toBe(1);
    slow.read();
    dead.stream.close();
    member.settle();
    slow.stall(100);
    putKey('a', '3');
    expect(slow.take()).toEqual(['0@1 created', '0@2 a=2', '0@3 a=3']);
  });
});
