import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { ETCD_CLUSTER_VERSION, ETCD_VERSION } from '../../src/member/version.ts';
import { get, post, put, readValue, until, untilWritable } from './client.ts';

const MEMBERS = ['m1', 'm2', 'm3'] as const;

/** The cluster of wrangler.toml: three members of one namespace behind one Worker. */
beforeAll(async () => {
  for (const member of MEMBERS) await untilWritable(member);
});

interface Header {
  readonly cluster_id: string;
  readonly member_id: string;
  readonly raft_term: string;
}

async function status(member: string) {
  const { json } = await post('/v3/maintenance/status', {}, member);
  const { leader, raftAppliedIndex } = json as Record<string, string | undefined>;
  return { leader, raftAppliedIndex, header: json['header'] as Header };
}

/** The rows that the platform charges a member for, by its own account. */
async function rowsWritten(member: string): Promise<number> {
  const { text } = await get('/metrics', { headers: { 'x-etcd-endpoint': member } });
  const [, rows] = /^edgetcd_\w*rows_written\w* (\d+)$/m.exec(text) ?? [];
  if (rows === undefined) throw new Error('no count of rows');
  return Number(rows);
}

/** Ends an object as the platform does: at once, with what it has not written lost. */
async function abort(member: string): Promise<void> {
  const stub = env.MEMBER.getByName(`edgetcd/${member}`);
  await runInDurableObject(stub, (_, state) => state.abort('ended by the test')).catch(() => {});
}

/** What all members say once they name the same leader: an election may be under way. */
function agreed() {
  return until(
    () => Promise.all(MEMBERS.map(async (name) => ({ name, ...(await status(name)) }))),
    (all) => {
      const [leader, ...others] = new Set(all.map((each) => each.leader));
      const isOne = others.length === 0 && leader !== undefined;
      return isOne && all.some(({ header }) => header.member_id === leader);
    },
  );
}

async function leaderName(): Promise<string> {
  const leader = (await agreed()).find(({ leader: id, header }) => id === header.member_id);
  return leader?.name ?? '';
}

describe('three members of one deployment', () => {
  it.each(MEMBERS)('serve writes at %s, and linearizable reads at all', async (member) => {
    const key = `at-${member}`;
    expect((await put(key, member, member)).status).toBe(200);
    for (const reader of MEMBERS) expect(await readValue(key, reader)).toBe(member);
  });

  it('serve without an endpoint being named', async () => {
    expect((await put('any', 'where')).status).toBe(200);
    expect(await readValue('any')).toBe('where');
  });

  it('are one cluster with one leader', async () => {
    const all = await agreed();
    expect(new Set(all.map(({ header }) => header.cluster_id)).size).toBe(1);
    expect(new Set(all.map(({ header }) => header.member_id)).size).toBe(MEMBERS.length);
    expect(all.filter(({ leader, header }) => header.member_id === leader)).toHaveLength(1);
  });

  it('list each other with names and peer URLs, in the order of their ids', async () => {
    const listed = await until(
      () => post('/v3/cluster/member/list', {}),
      ({ json }) => (json['members'] as { name?: string }[]).every(({ name }) => name),
    );
    const members = listed.json['members'] as { ID: string; name: string; peerURLs: string[] }[];
    expect(members.map(({ name }) => name).sort()).toEqual(MEMBERS);
    for (const { name, peerURLs } of members) expect(peerURLs).toEqual([`do://${name}`]);
    const ids = members.map(({ ID }) => BigInt(ID));
    expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
  });

  it('write at most two rows for a lone put each', async () => {
    const puts = 20;
    const before = await Promise.all(MEMBERS.map(rowsWritten));
    for (let i = 0; i < puts; i++) await put('lone', `${i}`);
    const after = await Promise.all(MEMBERS.map(rowsWritten));
    after.forEach((rows, at) => {
      const written = rows - (before[at] ?? 0);
      expect(written).toBeGreaterThan(0);
      expect(written / puts).toBeLessThanOrEqual(2);
    });
  });

  it('are healthy', async () => {
    const health = await get('/health');
    expect([health.status, health.json['health']]).toEqual([200, 'true']);
    expect((await get('/version')).json).toEqual({
      etcdserver: ETCD_VERSION,
      // What the cluster has agreed on, not what this release would like.
      etcdcluster: ETCD_CLUSTER_VERSION,
    });
  });
});

describe('an object that ends', () => {
  it.each(['leader', 'follower'] as const)('comes back and goes on: a %s', async (role) => {
    await put('before', role);
    const leader = await leaderName();
    const victim = role === 'leader' ? leader : MEMBERS.find((name) => name !== leader);
    await abort(victim ?? '');
    const others = MEMBERS.filter((name) => name !== victim);
    for (const member of others) await untilWritable(member);
    await untilWritable(victim);
    expect(await readValue('before', victim)).toBe(role);
    expect((await put('after', role, victim)).status).toBe(200);
    for (const member of MEMBERS) expect(await readValue('after', member)).toBe(role);
  });

  it('forgets nothing that was acknowledged, when all end at once', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => `kept-${i}`);
    await Promise.all(keys.map((key) => put(key, key)));
    const before = await Promise.all(MEMBERS.map(status));
    await abortAllDurableObjects();
    for (const member of MEMBERS) await untilWritable(member);
    for (const key of keys) expect(await readValue(key, 'm2')).toBe(key);
    const after = await Promise.all(MEMBERS.map(status));
    after.forEach(({ header }, at) => {
      expect(header.cluster_id).toBe(before[at]?.header.cluster_id);
      expect(header.member_id).toBe(before[at]?.header.member_id);
      expect(Number(header.raft_term)).toBeGreaterThan(Number(before[at]?.header.raft_term));
    });
  });
});
