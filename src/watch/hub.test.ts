import { describe, expect, it } from 'vitest';
import { ops, put, txn } from '../state/testing/single.ts';
import { Client, requests } from './testing/client.ts';
import { Member } from './testing/member.ts';

function putAt(member: Member, key: string, value = ''): void {
  member.write({ case: 'put', value: put(key, value) });
}

function compactAt(member: Member, revision: number): void {
  const value = { $typeName: 'etcdserverpb.CompactionRequest' as const, physical: false };
  member.write({ case: 'compaction', value: { ...value, revision: BigInt(revision) } });
}

describe('a synced watcher', () => {
  it('gets what is applied, in one response for a turn', () => {
    const member = new Member();
    const client = new Client(member);
    client.watch('a', 'c');
    putAt(member, 'a', '1');
    putAt(member, 'x', '2');
    putAt(member, 'b', '3');
    member.apply();
    expect(client.take()).toEqual(['0@1 created', '0@4 a=1 b=3']);
    putAt(member, 'x');
    member.apply();
    expect(client.take()).toEqual([]);
  });

  it('gets a transaction whole, and previous values when it asked for them', () => {
    const member = new Member();
    const client = new Client(member);
    client.watch('a', 'z');
    client.watch('a', 'z', { prevKv: true });
    putAt(member, 'b', '0');
    const success = [ops.put('c', '1'), ops.put('a', '2'), ops.delete('b')];
    member.write({ case: 'txn', value: txn({ success }) });
    member.apply();
    expect(client.take().slice(2)).toEqual(['0@3 b=0 c=1 a=2 -b', '1@3 b=0 c=1 a=2 -b/2']);
  });

  it('has events say what was before while somebody asks for it', () => {
    const member = new Member();
    const client = new Client(member);
    client.watch('a', 'z');
    expect(member.hub.previousWanted).toBe(false);
    client.watch('b', '', { prevKv: true });
    expect(member.hub.previousWanted).toBe(true);
    client.stream.receive(requests.cancel(1n));
    expect(member.hub.previousWanted).toBe(false);
  });

  it('that begins in the future gets nothing before', () => {
    const member = new Member();
    const client = new Client(member);
    client.watch('a', '', { startRevision: 4n });
    for (const value of ['2', '3', '4', '5']) putAt(member, 'a', value);
    member.apply(1);
    member.apply();
    expect(client.take()).toEqual(['0@1 created', '0@5 a=4 a=5']);
  });
});

describe('a watcher that begins in the past', () => {
  it('is served from history, in responses of a thousand revisions', () => {
    const member = new Member();
    for (let i = 0; i < 2_501; i++) putAt(member, 'a');
    member.apply();
    const client = new Client(member);
    client.watch('a', '', { startRevision: 2n });
    member.settle();
    const [created, ...rest] = client.responses;
    expect(created?.created).toBe(true);
    expect(rest.map(({ events }) => events.length)).toEqual([1_000, 1_000, 501]);
    expect(rest.map(({ header }) => header?.revision)).toEqual([2_502n, 2_502n, 2_502n]);
  });

  it('sees what is applied meanwhile once', () => {
    const member = new Member();
    for (let i = 2; i <= 3_000; i++) putAt(member, 'a', String(i));
    member.apply();
    const client = new Client(member);
    client.watch('a', '', { startRevision: 2n });
    for (let i = 3_001; i <= 3_005; i++) {
      putAt(member, 'a', String(i));
      member.apply();
      member.step();
    }
    member.settle();
    const values = client.responses.flatMap(({ events }) =>
      events.map(({ kv }) => kv?.modRevision),
    );
    expect(values).toEqual(Array.from({ length: 3_004 }, (_, i) => BigInt(i + 2)));
    expect(member.hub.stats).toMatchObject({ watchers: 1, slowWatchers: 0, pendingRevisions: 0 });
  });

  it('is told the compact revision when its start is gone; at the boundary it is served', () => {
    const member = new Member();
    for (let i = 2; i <= 6; i++) putAt(member, 'a', String(i));
    compactAt(member, 4);
    member.apply();
    const client = new Client(member);
    client.watch('a', '', { startRevision: 3n });
    client.watch('a', '', { startRevision: 4n });
    client.watch('a', '', { startRevision: 5n });
    member.settle();
    expect(client.take().slice(3)).toEqual([
      '0@0 canceled compacted 4',
      '1@6 a=4 a=5 a=6',
      '2@6 a=5 a=6',
    ]);
  });
});

describe('a client that does not read', () => {
  it('gets nothing more, and everything once it reads again', () => {
    const member = new Member();
    const client = new Client(member);
    client.watch('a');
    client.stall(1_000_000);
    for (let i = 2; i <= 5; i++) {
      putAt(member, 'a', String(i));
      member.apply();
      member.settle();
    }
    expect(client.take()).toEqual(['0@1 created']);
    expect(member.hub.stats).toMatchObject({ slowWatchers: 1, pendingRevisions: 4 });
    client.read();
    member.settle();
    expect(client.take()).toEqual(['0@5 a=2 a=3 a=4 a=5']);
    putAt(member, 'a', '6');
    member.apply();
    expect(client.take()).toEqual(['0@6 a=6']);
  });

  it('is told so when compaction overtakes it', () => {
    const member = new Member();
    const client = new Client(member);
    client.watch('a');
    client.stall(1_000_000);
    for (let i = 2; i <= 5; i++) putAt(member, 'a', String(i));
    compactAt(member, 4);
    member.apply();
    client.read();
    member.settle();
    expect(client.take()).toEqual(['0@1 created', '0@0 canceled compacted 4']);
    expect(member.hub.stats.watchers).toBe(0);
  });

  it('does not hold up others', () => {
    const member = new Member();
    const slow = new Client(member);
    const quick = new Client(member);
    slow.watch('a');
    quick.watch('a');
    slow.stall(1_000_000);
    putAt(member, 'a', '1');
    member.apply();
    member.settle();
    expect(quick.take()).toEqual(['0@1 created', '0@2 a=1']);
  });
});

describe('a snapshot', () => {
  it('is jumped over: what lies between comes from the new history', () => {
    const member = new Member();
    const client = new Client(member);
    client.watch('a');
    client.watch('a', '', { startRevision: 6n });
    putAt(member, 'a', '2');
    member.apply();
    for (let i = 3; i <= 5; i++) putAt(member, 'a', String(i));
    member.install();
    member.settle();
    putAt(member, 'a', '6');
    member.apply();
    expect(client.take().slice(2)).toEqual(['0@2 a=2', '0@5 a=3 a=4 a=5', '1@6 a=6', '0@6 a=6']);
  });

  it('that was compacted ends the watches that need more', () => {
    const member = new Member();
    const client = new Client(member);
    client.watch('a');
    for (let i = 2; i <= 5; i++) putAt(member, 'a', String(i));
    compactAt(member, 4);
    member.install();
    member.settle();
    expect(client.take()).toEqual(['0@1 created', '0@0 canceled compacted 4']);
  });
});

describe('a service of the member', () => {
  it('watches until it says so', () => {
    const member = new Member();
    const seen: string[] = [];
    const listener = {
      events: (events: readonly unknown[], revision: number) =>
        void seen.push(`${events.length}@${revision}`),
      compacted: (revision: number) => void seen.push(`compacted ${revision}`),
    };
    const key = Uint8Array.of(97);
    const cancel = member.hub.watch({ key }, listener);
    putAt(member, 'a');
    putAt(member, 'a');
    member.apply();
    cancel();
    cancel();
    putAt(member, 'a');
    member.apply();
    expect(seen).toEqual(['2@3']);
    member.hub.watch({ key, startRevision: 2 }, listener);
    member.settle();
    expect(seen).toEqual(['2@3', '3@4']);
    expect(member.hub.stats).toMatchObject({ watchers: 1, eventsSent: 5 });
  });

  it('may watch and cancel while it is told', () => {
    const member = new Member();
    const seen: string[] = [];
    const key = Uint8Array.of(97);
    const cancels: (() => void)[] = [];
    const listener = (name: string, then: () => void) => ({
      events: (events: readonly unknown[]) => {
        seen.push(`${name} ${events.length}`);
        then();
      },
      compacted: () => {},
    });
    const first = listener('first', () => {
      for (const cancel of cancels) cancel();
      member.hub.watch(
        { key, startRevision: 2 },
        listener('third', () => {}),
      );
    });
    cancels.push(member.hub.watch({ key }, first));
    cancels.push(
      member.hub.watch(
        { key },
        listener('second', () => {}),
      ),
    );
    putAt(member, 'a');
    member.apply();
    member.settle();
    expect(seen).toEqual(['first 1', 'third 1']);
  });
});
