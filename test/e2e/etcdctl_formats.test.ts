import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { eventually } from './cluster.ts';
import { Etcdctl, followerId } from './etcdctl.ts';
import { EtcdctlPair, hasPair, plain } from './etcdctl_pair.ts';

/** Every command in every form in which it can be asked to answer. */

const FORMATS = ['simple', 'json', 'table', 'fields'];
let pair: EtcdctlPair;

beforeAll(async () => {
  if (hasPair) pair = await EtcdctlPair.start();
}, 90_000);
afterAll(() => pair?.stop(), 30_000);

/** Both say the same, in each format. A format that a command does not know is one of the cases. */
async function sameInAll(args: readonly string[], input?: string): Promise<void> {
  for (const format of FORMATS) await pair.same([...args, '-w', format], input);
}

/** The same, with an id that each of the two has given out. */
async function alikeInAll(of: (id: string) => string[], ids: readonly string[]): Promise<void> {
  const [theirs, ours] = ids.map(of);
  for (const format of FORMATS) {
    const asked = [theirs, ours].map((args) => [...must(args, 'an id'), '-w', format]);
    await pair.alike(must(asked[0], 'theirs'), must(asked[1], 'ours'));
  }
}

/** What each of the two answers, theirs first. */
async function each(work: (etcdctl: Etcdctl) => Promise<string>): Promise<string[]> {
  return Promise.all(pair.both.map(work));
}

/** etcdctl lists the members as any of the endpoints knows them; one may not have heard yet. */
async function unstartedId(etcdctl: Etcdctl, url: string): Promise<string> {
  let id: string | undefined;
  await eventually('the new member is listed', 20_000, async () => {
    const list = await etcdctl.say('member', 'list');
    // Nor may it have heard that the one before it was removed.
    const unstarted = list.split('\n').filter((line) => line.includes(`, unstarted, , ${url},`));
    id = unstarted[0]?.split(',')[0];
    return id !== undefined;
  });
  return must(id, 'it is listed');
}

/** What `snapshot status` says, without the hash, and how many records it has counted. */
function counted(output: string): { readonly text: string; readonly keys: number } {
  const pattern = /^(.*?)(\d+)(\D*SIZE.*|,"totalSize":N\}|\n"Size" : N)$/s;
  const text = plain(output).replace(/\b[0-9a-f]{6,8}\b/g, 'HASH');
  const [, before, keys = '0', after] = pattern.exec(text) ?? [];
  return { text: before === undefined ? text : `${before}KEYS${after}`, keys: Number(keys) };
}

describe.skipIf(!hasPair)('etcdctl says the same in every format', () => {
  it('of keys and transactions', async () => {
    await sameInAll(['put', 'a', '1']);
    await sameInAll(['put', 'a', '2', '--prev-kv']);
    await sameInAll(['get', 'a']);
    await sameInAll(['get', '', '--from-key', '--count-only']);
    await sameInAll(['get', 'none']);
    await sameInAll(['txn'], 'value("a") = "2"\n\nget a\nput b 1\n\ndel a\n\n');
    await sameInAll(['txn', '-i'], 'mod("a") < "1"\n\nget a\n\ndel b --prev-kv\nget a\n\n');
    await sameInAll(['del', 'none']);
    await sameInAll(['del', 'a', '--prev-kv']);
  });

  it('of leases', async () => {
    for (const format of FORMATS) await pair.same(['lease', 'grant', '60', '-w', format]);
    const grants = await each((etcdctl) => etcdctl.say('lease', 'grant', '300'));
    const ids = grants.map((text) => text.split(' ')[1] ?? '');
    await each((etcdctl) => {
      const id = must(ids[pair.both.indexOf(etcdctl)], 'its lease');
      return etcdctl.say('put', 'leased', '1', '--lease', id);
    });
    const justGranted = /("ttl":|"TTL" : )(2\d\d|300)/g;
    for (const format of FORMATS) {
      const told = await Promise.all(
        pair.both.map((etcdctl, i) => {
          const id = must(ids[i], 'its lease');
          return etcdctl.run(['lease', 'timetolive', id, '--keys', '-w', format]);
        }),
      );
      const [theirs, ours] = told.map(({ output }) => plain(output).replace(justGranted, '$1N'));
      expect(ours).toBe(theirs);
    }
    await alikeInAll((id) => ['lease', 'keep-alive', '--once', id], ids);
    await sameInAll(['lease', 'list']);
    await alikeInAll((id) => ['lease', 'revoke', id], ids);
  });

  it('of snapshots', async () => {
    await pair.caughtUp();
    // It takes one endpoint.
    const urls = [pair.etcd.members[0]?.url, pair.cluster.endpoints[0]];
    const saved = await Promise.all(
      urls.map(async (url) => {
        const file = join(pair.directory(), 'snapshot.db');
        await new Etcdctl([must(url, 'an endpoint')]).say('snapshot', 'save', file);
        return file;
      }),
    );
    for (const format of FORMATS) {
      const told = await Promise.all(
        saved.map((file) => pair.ours.run(['snapshot', 'status', file, '-w', format])),
      );
      expect(told[1]?.code).toBe(told[0]?.code);
      const [theirs, ours] = told.map(({ output }) => counted(output));
      expect(ours?.text).toBe(theirs?.text);
      // The members, whom a restore discards, are not in ours.
      expect(ours?.keys).toBe(theirs === undefined || theirs.keys === 0 ? 0 : theirs.keys - 3);
    }
  });

  it('of members and endpoints', async () => {
    // Where there are no keys, our hash of them is 0, which is not shown.
    await pair.same(['put', 'h', '1']);
    await pair.caughtUp();
    await sameInAll(['member', 'list']);
    await sameInAll(['endpoint', 'status']);
    await sameInAll(['endpoint', 'status', '--cluster']);
    await sameInAll(['endpoint', 'health']);
    await sameInAll(['endpoint', 'hashkv']);
    await sameInAll(['endpoint', 'hashkv', '--cluster']);
    for (const [i, format] of FORMATS.entries()) {
      // An id is made of the URL and the second.
      const peerUrl = `http://127.0.0.1:${i + 1}`;
      await pair.same(['member', 'add', 'x', '--learner', '--peer-urls', peerUrl, '-w', format]);
      const ids = await each((etcdctl) => unstartedId(etcdctl, peerUrl));
      const lists = await each((etcdctl) => etcdctl.say('member', 'list'));
      const started = lists.map((text) => /^(\w+), started, \w+, ([^,]+)/m.exec(text) ?? []);
      // A learner's update is wrong in etcd 3.4: it says that it votes from then on.
      const [theirs, ours] = started.map(([, id = '', url = '']) => {
        return ['member', 'update', id, '--peer-urls', url, '-w', format];
      });
      await pair.alike(must(theirs, 'a member'), must(ours, 'a member'));
      await alikeRemoval(ids, format);
    }
  });

  async function alikeRemoval(ids: readonly string[], format: string): Promise<void> {
    const [theirs, ours] = ids.map((id) => ['member', 'remove', id, '-w', format]);
    await pair.alike(must(theirs, 'an id'), must(ours, 'an id'));
  }

  it('of upkeep', async () => {
    await pair.same(['alarm', 'list']);
    await pair.same(['alarm', 'list', '-w', 'table']);
    // The header came with etcd 3.5.
    const [theirs, ours] = await each((etcdctl) => etcdctl.say('alarm', 'list', '-w', 'json'));
    const { header, ...rest } = JSON.parse(must(ours, 'an answer'));
    expect(rest).toEqual(JSON.parse(must(theirs, 'an answer')));
    expect(header).toMatchObject({ revision: expect.any(Number) });
    await sameInAll(['alarm', 'disarm']);
    await sameInAll(['defrag']);
    await pair.same(['compaction', '4', '--physical']);
    await sameInAll(['compaction', '3']);
  });

  it('of users and roles', async () => {
    await sameInAll(['role', 'add', 'r']);
    await sameInAll(['role', 'grant-permission', 'r', 'readwrite', 'a', 'b']);
    await sameInAll(['role', 'get', 'r']);
    await sameInAll(['role', 'list']);
    await sameInAll(['user', 'add', 'u:p']);
    await sameInAll(['user', 'add', 'n', '--no-password']);
    await sameInAll(['user', 'grant-role', 'u', 'r']);
    await sameInAll(['user', 'get', 'u']);
    await sameInAll(['user', 'list']);
    await sameInAll(['user', 'passwd', 'u', '--interactive=false'], 'new');
    await sameInAll(['user', 'revoke-role', 'u', 'r']);
    await sameInAll(['user', 'delete', 'u']);
    await sameInAll(['role', 'revoke-permission', 'r', 'a', 'b']);
    await sameInAll(['role', 'delete', 'r']);
    await sameInAll(['auth', 'enable']);
  });

  /** What a command that does not end by itself has said when `enough` is done. */
  async function saidBy(
    etcdctl: Etcdctl,
    args: readonly string[],
    enough: (until: (pattern: RegExp) => Promise<void>) => Promise<void>,
  ): Promise<string> {
    const child = etcdctl.start(args);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    try {
      await enough((pattern) => eventually(`it says ${pattern}`, 20_000, () => pattern.test(text)));
      // The rest of it, and what it should not say.
      await sleep(500);
    } finally {
      child.kill('SIGINT');
    }
    return plain(text);
  }

  it.each(['simple', 'json', 'fields'])('of watches, as %s', async (format) => {
    const texts = await each(async (etcdctl) => {
      const { header } = JSON.parse(await etcdctl.say('get', 'w', '-w', 'json'));
      // However late it begins to watch, it misses nothing.
      const args = ['watch', 'w', '--rev', String(header.revision + 1), '-w', format];
      return saidBy(etcdctl, args, async (until) => {
        await etcdctl.say('put', 'w', '1');
        // Events that come together may be told as one answer.
        await until(/PUT|"kv"/);
        await etcdctl.say('del', 'w');
        await until(/DELETE|"type":1/);
      });
    });
    expect(texts[1]).toBe(texts[0]);
  });

  it('of locks and elections', async () => {
    const [locked, elected] = [/\n/, /\n.*\n/];
    const lock = await each((etcdctl) => saidBy(etcdctl, ['lock', 'l'], (until) => until(locked)));
    expect(lock[1]).toBe(lock[0]);
    const elect = await each((etcdctl) =>
      saidBy(etcdctl, ['elect', 'e', 'me'], (until) => until(elected)),
    );
    expect(elect[1]).toBe(elect[0]);
  });

  it('of a leader that is told to go', async () => {
    const move = async (): Promise<void> => {
      const [theirs, ours] = (await each(followerId)).map((id) => ['move-leader', id]);
      await pair.alike(must(theirs, 'a member'), must(ours, 'a member'));
    };
    // Another one may have come to lead between the look and the move.
    await move().catch(move);
    await pair.same(['move-leader', '1234']);
    await pair.same(['move-leader', 'nonsense']);
  });
});

describe.skipIf(!hasPair)('etcdctl check perf', () => {
  it('finds no errors, and the throughput that it wants', async () => {
    // How long its slowest request took, on which its exit code depends, is the machine's doing.
    const { output } = await pair.ours.run(['check', 'perf', '--load', 's']);
    expect(output).toContain('PASS: Throughput');
    expect(output).not.toContain('too many errors');
    expect(await pair.ours.say('get', '/etcdctl-check-perf/', '--prefix')).toBe('');
  }, 120_000);
});
