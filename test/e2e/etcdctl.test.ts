import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { currentRevision } from './client.ts';
import { eventually } from './cluster.ts';
import { type Etcdctl, followerId } from './etcdctl.ts';
import { EtcdctlPair, hasPair, plain } from './etcdctl_pair.ts';

let pair: EtcdctlPair;

beforeAll(async () => {
  if (hasPair) pair = await EtcdctlPair.start();
}, 90_000);
afterAll(() => pair?.stop(), 30_000);

const both = () => pair.both;
const same = (args: readonly string[], input?: string) => pair.same(args, input);

describe.skipIf(!hasPair)('etcdctl says the same of ours as of etcd', () => {
  it('of keys', async () => {
    for (let i = 0; i < 12; i++) await same(['put', `k${i}`, `value ${i}`]);
    await same(['put', 'k3', 'again', '--prev-kv']);
    await same(['put', 'k4', '--ignore-value']);
    await same(['put', 'none', '--ignore-value']);
    for (const format of ['simple', 'json', 'fields', 'protobuf'].slice(0, 3)) {
      await same(['get', 'k', '--prefix', '-w', format]);
    }
    await same(['get', 'k', '--prefix', '--limit', '3']);
    await same(['get', 'k', '--prefix', '--keys-only']);
    await same(['get', 'k', '--prefix', '--count-only', '-w', 'fields']);
    await same(['get', 'k', '--prefix', '--sort-by', 'MODIFY', '--order', 'DESCEND']);
    await same(['get', 'k5', 'k8', '--print-value-only']);
    await same(['get', 'k5', '--from-key']);
    await same(['get', 'k3', '--rev', '3']);
    await same(['get', 'k3', '--rev', '999']);
    await same(['get', 'k3', '--consistency', 's', '--hex']);
    await same(['del', 'k1', '--prev-kv']);
    await same(['del', 'k1', 'k12']);
    await same(['del', 'k', '--prefix']);
    await same(['del', 'k']);
  });

  it('of transactions', async () => {
    await same(['put', 't', '1']);
    const request = 'value("t") = "1"\nmod("t") > "0"\n\nput t 2\nget t\ndel none\n\nget t\n\n';
    await same(['txn', '-i'], request);
    await same(['txn', '-i'], request);
    await same(['txn', '-w', 'json'], request);
    await same(['txn'], 'nonsense\n\n\n\n');
  });

  it('of leases', async () => {
    for (const etcdctl of both()) {
      const lease = (await etcdctl.say('lease', 'grant', '300')).split(' ')[1] ?? '';
      await etcdctl.say('put', 'leased', '1', '--lease', lease);
      const told = plain(await etcdctl.say('lease', 'timetolive', lease, '--keys'));
      expect(told).toBe('lease ID granted with TTL(300s), remaining, attached keys([leased])');
      expect(plain(await etcdctl.say('lease', 'list'))).toBe('found 1 leases\nID');
      const once = plain(await etcdctl.say('lease', 'keep-alive', '--once', lease));
      expect(once).toBe('lease ID keepalived with TTL(300)');
      expect(plain(await etcdctl.say('lease', 'revoke', lease))).toBe('lease ID revoked');
      expect(await etcdctl.say('get', 'leased')).toBe('');
    }
    await same(['lease', 'revoke', '1234']);
    await same(['lease', 'timetolive', '1234']);
  });

  it('of watches, interactive ones too', async () => {
    const told: string[] = [];
    for (const etcdctl of both()) {
      const watch = etcdctl.start(['watch', '-i']);
      let text = '';
      watch.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      // However late it begins to watch, it misses nothing.
      const { header } = JSON.parse(await etcdctl.say('get', 'w', '-w', 'json'));
      const from = `--rev ${header.revision + 1}`;
      watch.stdin.write(`watch w ${from}\nwatch x --prefix --prev-kv ${from}\n`);
      await etcdctl.say('put', 'w', '1');
      await etcdctl.say('put', 'x1', '2');
      await etcdctl.say('put', 'x1', '3');
      await etcdctl.say('del', 'w');
      await eventually(
        'four events',
        20_000,
        () => (text.match(/^(PUT|DELETE)$/gm) ?? []).length === 4,
      );
      watch.kill();
      told.push(text);
    }
    expect(told[1]?.split('\n').sort()).toEqual(told[0]?.split('\n').sort());
  });

  it('of watches of the past', async () => {
    const told: string[] = [];
    for (const etcdctl of both()) {
      const { header } = JSON.parse(await etcdctl.say('put', 'p', '0', '-w', 'json'));
      await etcdctl.say('put', 'p', '1');
      await etcdctl.say('del', 'p');
      const watch = etcdctl.start(['watch', 'p', '--rev', String(header.revision), '--prev-kv']);
      let text = '';
      watch.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      await eventually(
        'three events',
        20_000,
        () => (text.match(/^(PUT|DELETE)$/gm) ?? []).length === 3,
      );
      watch.kill();
      told.push(text);
    }
    expect(told[1]).toBe(told[0]);
  });

  it('of locks and elections', async () => {
    for (const etcdctl of both()) {
      expect(await etcdctl.say('lock', 'l', 'echo', 'locked')).toBe('locked\n');
      const leader = etcdctl.start(['elect', 'e', 'first']);
      let text = '';
      leader.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      await eventually('it leads', 20_000, () => text.includes('first'));
      const observer = etcdctl.start(['elect', '-l', 'e']);
      let seen = '';
      observer.stdout.on('data', (chunk: Buffer) => {
        seen += chunk.toString();
      });
      await eventually('it is seen', 20_000, () => seen.includes('first'));
      leader.kill('SIGINT');
      observer.kill('SIGINT');
    }
  });

  it('of members and endpoints', async () => {
    await pair.caughtUp();
    await same(['member', 'list']);
    await same(['member', 'list', '-w', 'table']);
    await same(['endpoint', 'health']);
    await same(['endpoint', 'health', '--cluster']);
    for (const etcdctl of both()) {
      for (const args of [[], ['--cluster']]) {
        const table = await etcdctl.say('endpoint', 'status', '-w', 'table', ...args);
        expect(plain(table)).toContain('| ENDPOINT | ID | VERSION | DB SIZE | IS LEADER |');
        expect(table.split('\n').filter((line) => line.includes('127.0.0.1'))).toHaveLength(3);
        const hashes = (await etcdctl.say('endpoint', 'hashkv', ...args)).trim().split('\n');
        expect(new Set(hashes.map((line) => line.split(', ')[1])).size).toBe(1);
      }
    }
    await same(['member', 'remove', '1234']);
    await same(['member', 'add', 'x', '--peer-urls', 'nonsense']);
  });

  it('of members that come and go', async () => {
    for (const etcdctl of both()) {
      const url = 'http://127.0.0.1:1';
      const add = ['member', 'add', 'm9', '--learner', '--peer-urls', url];
      let added = '';
      // etcd wants to have seen all members for five seconds.
      await eventually('a member more', 30_000, async () => {
        ({ output: added } = await etcdctl.run(add));
        return added !== '';
      });
      expect(plain(added)).toContain('Member ID added to cluster ID');
      const id = /Member +([0-9a-f]+) added/.exec(added)?.[1] ?? '';
      // Each call may be of another member, which shows what it has applied itself.
      await eventually('it is listed', 20_000, async () => {
        return plain(await etcdctl.say('member', 'list')).includes('unstarted');
      });
      const { errors } = await etcdctl.run(['member', 'promote', id]);
      expect(errors).toContain('can only promote a learner member which is in sync with leader');
      expect(plain(await etcdctl.say('member', 'update', id, '--peer-urls', `${url}0`))).toContain(
        'updated in cluster',
      );
      expect(plain(await etcdctl.say('member', 'remove', id))).toContain('removed from cluster');
    }
  });

  it('of upkeep', async () => {
    await same(['put', 'u', '1']);
    await same(['compaction', '5']);
    await same(['compaction', '5']);
    await same(['compaction', '9999']);
    await same(['get', 'u', '--rev', '4']);
    await same(['defrag']);
    await same(['alarm', 'list']);
    await same(['alarm', 'disarm']);
  });

  it('of users and roles', async () => {
    await same(['role', 'add', 'readers']);
    await same(['role', 'grant-permission', 'readers', 'read', 'a', 'b']);
    await same(['role', 'grant-permission', 'readers', '--prefix=true', 'readwrite', 'x/']);
    await same(['role', 'get', 'readers']);
    await same(['user', 'add', 'alice:secret']);
    await same(['user', 'grant-role', 'alice', 'readers']);
    await same(['user', 'get', 'alice']);
    await same(['user', 'get', 'alice', '--detail']);
    await same(['user', 'list']);
    await same(['role', 'list']);
    await same(['auth', 'enable']);
    await same(['user', 'add', 'root:root']);
    await same(['user', 'grant-role', 'root', 'root']);
    await same(['auth', 'enable']);
    await pair.caughtUp();
    await same(['get', 'a']);
    await same(['get', 'a', '--user', 'alice:secret']);
    await same(['put', 'a', '1', '--user', 'alice:secret']);
    await same(['put', 'x/1', '1', '--user', 'alice:secret']);
    await same(['get', 'a', '--user', 'alice:wrong']);
    await same(['role', 'revoke-permission', 'readers', 'a', 'b', '--user', 'root:root']);
    await same(['get', 'a', '--user', 'alice:secret']);
    await same(['user', 'revoke-role', 'alice', 'readers', '--user', 'root:root']);
    await same(['auth', 'disable', '--user', 'root:root']);
    // Where it is not known yet, nobody is let in to wait for it.
    await eventually('it is off everywhere', 20_000, async () => {
      const reads = await Promise.allSettled(pair.urls.map(currentRevision));
      return reads.every(({ status }) => status === 'fulfilled');
    });
    await same(['user', 'delete', 'alice']);
    await same(['role', 'delete', 'readers']);
  });

  it('of a leader that is told to go', async () => {
    for (const etcdctl of both()) {
      const move = async () => etcdctl.say('move-leader', await followerId(etcdctl));
      // Another one may have come to lead between the look and the move.
      expect(plain(await move().catch(move))).toContain('Leadership transferred from');
    }
  });
});

describe.skipIf(!hasPair)('make-mirror', () => {
  it('carries keys from etcd to ours, and back', async () => {
    const copy = async (from: Etcdctl, to: Etcdctl, url: string, prefix: string) => {
      const mirror = from.start(['make-mirror', '--prefix', prefix, url.replace('http://', '')]);
      await from.say('put', `${prefix}1`, 'one');
      await eventually('the key is there', 20_000, async () =>
        (await to.say('get', `${prefix}1`)).includes('one'),
      );
      await from.say('put', `${prefix}2`, 'two');
      await from.say('del', `${prefix}1`);
      await eventually('what follows is too', 20_000, async () => {
        const found = await to.say('get', prefix, '--prefix');
        return found === `${prefix}2\ntwo\n`;
      });
      mirror.kill();
    };
    const { ours, theirs, cluster, etcd } = pair;
    await copy(theirs, ours, cluster.endpoints[0] ?? '', 'there/');
    await copy(ours, theirs, etcd.members[0]?.url ?? '', 'back/');
  });
});
