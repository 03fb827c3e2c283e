import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Code,
  type Etcd,
  EtcdError,
  EtcdLeaseInvalidError,
  EtcdNoLeaderError,
  EtcdWatchCompactedError,
  type WatchEvent,
} from '../../src/client/index.ts';

/** How a runtime opens a client of a cluster that serves. */
export type OpenClient = () => Etcd | Promise<Etcd>;

/** Calls that are under way at once. */
const CROWD = 300;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The next so many events. */
async function take(events: AsyncIterable<WatchEvent>, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const { type, key, kv } of events) {
    seen.push(type === 'put' ? `${key}=${kv.string()}` : `${key} deleted`);
    if (seen.length === count) break;
  }
  return seen;
}

const codeOf = (work: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(work).then(
    () => 'no error',
    (error: unknown) => (error instanceof EtcdError ? error.code : error),
  );

/** What a client does, whatever it travels by. Every transport passes all of it. */
export function clientSuite(name: string, open: OpenClient): void {
  describe(`the client by ${name}`, () => {
    let whole: Etcd;
    let etcd: Keys;

    beforeAll(async () => {
      whole = await open();
      etcd = whole.namespace(`${name}/`);
    });
    afterAll(() => whole.close());

    keysAndValues(() => etcd);
    crowds(() => etcd);
    transactions(() => etcd);
    watches(() => ({ etcd, whole }));
    leases(() => ({ etcd, whole }));
    locks(() => etcd);
    elections(() => etcd);
    limits(() => ({ etcd, whole }));
    operators(() => whole);
  });
}

type Keys = ReturnType<Etcd['namespace']>;

function keysAndValues(of: () => Keys): void {
  it('puts and gets text, bytes, numbers and JSON', async () => {
    const etcd = of();
    await etcd.put('text').value('grüezi');
    await etcd.put('bytes').value(Uint8Array.of(0, 255));
    await etcd.put('number').value(12.5);
    await etcd.put('json').json({ a: [1, null] });
    expect(await etcd.get('text')).toBe('grüezi');
    expect(await etcd.get('bytes').buffer()).toEqual(Uint8Array.of(0, 255));
    expect(await etcd.get('number').number()).toBe(12.5);
    expect(await etcd.get('json').json()).toEqual({ a: [1, null] });
    expect(await etcd.get('none')).toBe(null);
    expect([await etcd.get('text').exists(), await etcd.get('none').exists()]).toEqual([
      true,
      false,
    ]);
  });

  it('tells versions and revisions, and reads old ones', async () => {
    const etcd = of();
    const first = await etcd.put('versions').value('1');
    expect(first.previous).toBe(null);
    const second = await etcd.put('versions').value('2').getPrevious();
    expect(second.revision).toBeGreaterThan(first.revision);
    expect(second.previous?.string()).toBe('1');
    const kv = await etcd.get('versions').kv();
    expect(kv).toMatchObject({
      key: 'versions',
      version: 2,
      createRevision: first.revision,
      modRevision: second.revision,
      lease: 0n,
    });
    expect(await etcd.get('versions').revision(first.revision)).toBe('1');
    expect(await etcd.get('versions').serializable().options({ timeoutMs: 5_000 })).not.toBe('3');
  });

  it('reads, counts, sorts and deletes ranges', async () => {
    const keys = of().namespace('ranges/');
    for (const [key, value] of Object.entries({ a: 3, b: 1, c: 2 })) {
      await keys.put(key).value(value);
    }
    expect(await keys.getAll()).toEqual({ a: '3', b: '1', c: '2' });
    expect(await keys.getAll().prefix('b').numbers()).toEqual({ b: 1 });
    expect(await keys.getAll().inRange({ start: 'b', end: 'c' }).keys()).toEqual(['b']);
    expect(await keys.getAll().sort('Value', 'Ascend').keys()).toEqual(['b', 'c', 'a']);
    expect(await keys.getAll().count()).toBe(3);
    const limited = await keys.getAll().limit(2).response();
    expect([limited.kvs.length, limited.more, limited.count]).toEqual([2, true, 3]);
    const { deleted, previous } = await keys.delete().prefix('a').getPrevious();
    expect([deleted, previous.map((kv) => kv.number())]).toEqual([1, [3]]);
    expect((await keys.delete().all()).deleted).toBe(2);
    expect(await keys.getAll().strings()).toEqual({});
  });

  it('leaves value or lease as they are', async () => {
    const etcd = of();
    await etcd.put('kept').value('v');
    await etcd.put('kept').touch();
    expect(await etcd.get('kept').kv()).toMatchObject({ version: 2 });
    expect(await etcd.get('kept')).toBe('v');
    expect(await codeOf(etcd.put('not there').touch())).toBe(Code.invalidArgument);
  });

  it('carries values of a megabyte', async () => {
    const etcd = of();
    const value = new Uint8Array(1_000_000).map((_, i) => i * 31);
    await etcd.put('large').value(value);
    const found = await etcd.get('large').buffer();
    expect(found?.length).toBe(value.length);
    expect(found?.every((byte, i) => byte === value[i])).toBe(true);
    await etcd.delete().key('large');
  });
}

function crowds(of: () => Keys): void {
  it('has many calls under way at once', async () => {
    const keys = of().namespace('many/');
    const names = Array.from({ length: CROWD }, (_, i) => `k${String(i).padStart(3, '0')}`);
    const puts = await Promise.all(names.map((name) => keys.put(name).value(name).exec()));
    expect(new Set(puts.map(({ revision }) => revision)).size).toBe(CROWD);
    expect(await keys.getAll().keys()).toEqual(names);
    const gets = await Promise.all(names.map((name) => keys.get(name).string()));
    expect(gets).toEqual(names);
  });
}

function transactions(of: () => Keys): void {
  it('compares, does one of two things, and says which', async () => {
    const etcd = of();
    await etcd.delete().key('txn');
    const create = () =>
      etcd
        .txn()
        .if('txn', 'Create', '==', 0)
        .and('txn', 'Version', '<', 1)
        .then(etcd.put('txn').value('new'), etcd.get('txn'))
        .else(etcd.get('txn'))
        .commit();
    const first = await create();
    expect(first.succeeded).toBe(true);
    expect(first.results.map(({ type }) => type)).toEqual(['put', 'range']);
    const second = await create();
    expect(second.succeeded).toBe(false);
    const [range] = second.results;
    expect(range?.type === 'range' && range.kvs.map((kv) => [kv.key, kv.string()])).toEqual([
      ['txn', 'new'],
    ]);
  });

  it('nests', async () => {
    const etcd = of();
    const inner = etcd.if('txn', 'Value', '!=', 'x').then(etcd.delete().key('none'));
    const outer = await etcd.txn().then(etcd.put('txn').value('y'), inner).commit();
    expect(outer.succeeded).toBe(true);
    const [, nested] = outer.results;
    expect(nested).toMatchObject({ type: 'txn', succeeded: true, results: [{ deleted: 0 }] });
    expect(await etcd.get('txn')).toBe('y');
  });
}

function watches(of: () => { etcd: Keys; whole: Etcd }): void {
  it('sees every change from its creation on, once and in order', async () => {
    const keys = of().etcd.namespace('watched/');
    await keys.put('before').value('0');
    const watcher = await keys.watch().create();
    await keys.put('a').value('1');
    await keys.txn().then(keys.put('b').value('2'), keys.put('c').value('3')).commit();
    await keys.delete().key('a');
    expect(await take(watcher, 4)).toEqual(['a=1', 'b=2', 'c=3', 'a deleted']);
  });

  it('begins in the past, and tells what was before', async () => {
    const keys = of().etcd.namespace('history/');
    const { revision } = await keys.put('a').value('1');
    await keys.put('a').value('2');
    const seen: unknown[] = [];
    for await (const event of keys.watch().key('a').startRevision(revision).withPreviousKV()) {
      seen.push([event.kv.string(), event.previous?.string() ?? null, event.revision - revision]);
      if (seen.length === 2) break;
    }
    expect(seen[0]).toEqual(['1', null, 0]);
    expect(seen[1]).toEqual(['2', '1', expect.any(Number)]);
  });

  it('filters, and keeps revisions whole', async () => {
    const keys = of().etcd.namespace('whole/');
    const { revision } = await keys
      .txn()
      .then(keys.put('a').value('1'), keys.put('b').value('2'))
      .commit();
    await keys.delete().all();
    const deletions = keys.watch().only('delete').startRevision(revision);
    expect(await take(deletions, 2)).toEqual(['a deleted', 'b deleted']);
    const watcher = await keys.watch().startRevision(revision).create();
    for await (const { events } of watcher.batches()) {
      expect(events.length).toBeGreaterThanOrEqual(2);
      break;
    }
  });

  it('is ended by its owner, by a signal, and by leaving the loop', async () => {
    const { etcd } = of();
    const watcher = await etcd.watch().key('quiet').create();
    const reading = take(watcher, 1);
    watcher.cancel();
    expect(await reading).toEqual([]);
    const abort = new AbortController();
    const signalled = await etcd.watch().key('quiet').signal(abort.signal).create();
    const rejected = expect(take(signalled, 1)).rejects.toThrow('enough');
    abort.abort(new Error('enough'));
    await rejected;
  });

  it('says that history was compacted away', async () => {
    const { etcd, whole } = of();
    const { revision } = await etcd.put('compacted').value('1');
    const { revision: next } = await etcd.put('compacted').value('2');
    await whole.maintenance.compact(next, { physical: true });
    const error = await take(etcd.watch().key('compacted').startRevision(revision), 1).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(EtcdWatchCompactedError);
    expect((error as EtcdWatchCompactedError).compactRevision).toBeGreaterThanOrEqual(next);
    expect(await codeOf(etcd.get('compacted').revision(revision))).toBe(Code.outOfRange);
  });
}

function leases(of: () => { etcd: Keys; whole: Etcd }): void {
  it('grants a lease when it is needed, renews it, and ends its keys with it', async () => {
    const { etcd, whole } = of();
    const lease = etcd.lease(4);
    await lease.put('leased').value('v');
    const id = await lease.grant();
    expect(await etcd.get('leased').kv()).toMatchObject({ lease: id });
    await pause(6_000);
    expect(await etcd.get('leased')).toBe('v');
    expect(await lease.keepaliveOnce()).toBe(lease.ttlSeconds);
    const { grantedTTL } = await whole.call('/v3/lease/timetolive', { ID: id });
    expect(grantedTTL).toBe(lease.ttlSeconds);
    await lease.revoke();
    await lease.revoke();
    expect(await etcd.get('leased')).toBe(null);
    expect(lease.signal.reason).toBeInstanceOf(EtcdLeaseInvalidError);
  });

  it('notices that a lease has been ended by somebody else', async () => {
    const { etcd, whole } = of();
    const lease = etcd.lease(2);
    const ID = await lease.grant();
    await whole.call('/v3/lease/revoke', { ID });
    await new Promise<void>((resolve) => lease.signal.addEventListener('abort', () => resolve()));
    expect(lease.signal.reason).toBeInstanceOf(EtcdLeaseInvalidError);
    expect(await codeOf(lease.put('leased').value('v'))).toBe(Code.notFound);
  });
}

function locks(of: () => Keys): void {
  it('gives a lock to one after the other, with tokens that rise', async () => {
    const etcd = of();
    const order: number[] = [];
    let holders = 0;
    const hold = (): Promise<void> =>
      etcd.lock('mutex').do(async ({ fencingToken, held, signal }) => {
        expect(++holders).toBe(1);
        const { succeeded } = await etcd
          .txn()
          .and(held)
          .then(etcd.put('guarded').value('x'))
          .commit();
        expect([succeeded, signal.aborted]).toEqual([true, false]);
        order.push(fencingToken);
        holders--;
      });
    await Promise.all([hold(), hold(), hold()]);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(new Set(order).size).toBe(3);
  });

  it('gives up waiting, and leaves nothing behind', async () => {
    const etcd = of();
    const lock = await etcd.lock('busy').ttl(60).acquire();
    const waiting = etcd.lock('busy').acquire({ signal: AbortSignal.timeout(300) });
    await expect(waiting).rejects.toThrow(/timeout|aborted/i);
    expect(await codeOf(etcd.lock('busy').acquire({ timeoutMs: 300 }))).toBe(Code.deadlineExceeded);
    await lock[Symbol.asyncDispose]();
    expect(lock.signal.aborted).toBe(true);
    const { succeeded } = await etcd.txn().and(lock.held).commit();
    expect(succeeded).toBe(false);
    await (await etcd.lock('busy').acquire({ timeoutMs: 10_000 })).release();
    expect(await etcd.getAll().prefix('busy/').keys()).toEqual([]);
  });
}

function elections(of: () => Keys): void {
  it('elects, proclaims, is observed, and resigns', async () => {
    const election = of().election('president', 10);
    await expect(election.leader()).rejects.toThrow(EtcdNoLeaderError);
    const seen: string[] = [];
    const abort = new AbortController();
    const observing = (async () => {
      for await (const kv of election.observe({ signal: abort.signal })) seen.push(kv.string());
    })().catch(() => {});
    const first = await election.campaign('ada');
    expect((await election.leader()).string()).toBe('ada');
    const second = election.campaign('grace');
    await first.proclaim('ada again');
    await pause(300);
    await first.resign();
    const elected = await second;
    expect(elected.fencingToken).toBeGreaterThan(first.fencingToken);
    expect((await election.leader()).string()).toBe('grace');
    for (let i = 0; i < 100 && !seen.includes('grace'); i++) await pause(50);
    abort.abort();
    await observing;
    expect(seen.at(-1)).toBe('grace');
    expect(new Set(seen).size).toBe(seen.length);
    await elected.resign();
  });
}

function limits(of: () => { etcd: Keys; whole: Etcd }): void {
  it('throws errors with etcd’s codes and words, and says whether a write may have been done', async () => {
    const { etcd, whole } = of();
    const error = await whole.call('/v3/lease/revoke', { ID: 404n }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(EtcdLeaseInvalidError);
    expect(error).toMatchObject({ code: Code.notFound, outcome: 'none' });
    expect((error as Error).message).toBe('etcdserver: requested lease not found');
    expect(await codeOf(etcd.delete())).toBe(Code.invalidArgument);
    expect(await codeOf(whole.call('/v3/kv/put', {}))).toBe(Code.invalidArgument);
    const future = etcd.get('a').revision(1_000_000_000);
    expect(await codeOf(future)).toBe(Code.outOfRange);
    const large = etcd.put('too large').value(new Uint8Array(1_600_000));
    expect(await codeOf(large)).toBe(Code.invalidArgument);
  });

  it('ends a call for its caller', async () => {
    const { etcd } = of();
    const abort = new AbortController();
    const aborted = etcd.get('a').options({ signal: abort.signal }).string();
    abort.abort(new Error('not any more'));
    await expect(aborted).rejects.toThrow('not any more');
    const before = etcd.get('a').options({ signal: AbortSignal.abort(new Error('never')) });
    await expect(before.string()).rejects.toThrow('never');
  });
}

function operators(of: () => Etcd): void {
  it('tells of members, status, alarms and checksums', async () => {
    const etcd = of();
    const members = await etcd.cluster.memberList();
    expect(members.length).toBeGreaterThan(0);
    const { leader, version, raftTerm } = await etcd.maintenance.status();
    expect(members.map(({ ID }) => ID)).toContain(leader);
    expect([version, raftTerm > 0]).toEqual(['3.5.21', true]);
    expect(await etcd.maintenance.alarms()).toEqual([]);
    expect((await etcd.maintenance.hashKV()).hash).toBeGreaterThan(0);
    expect(await etcd.auth.enabled()).toBe(false);
  });

  it('manages users and roles', async () => {
    const { auth } = of();
    const role = auth.role('reader');
    const user = auth.user('ann');
    await role.create();
    await role.grant('Read', { prefix: 'pub/' });
    const [permission] = await role.permissions();
    expect(permission).toMatchObject({ permission: 'Read' });
    await user.create('secret');
    await user.addRole('reader');
    expect(await user.roles()).toEqual(['reader']);
    expect([await auth.users(), await auth.roles()]).toEqual([['ann'], ['reader']]);
    await user.removeRole('reader');
    await role.revoke({ prefix: 'pub/' });
    await user.setPassword('other');
    await user.delete();
    await role.delete();
    expect(await codeOf(user.roles())).toBe(Code.failedPrecondition);
  });

  it('takes a snapshot', async () => {
    let bytes = 0;
    for await (const blob of of().maintenance.snapshot()) bytes += blob.length;
    expect(bytes).toBeGreaterThan(1_000);
  });
}
