import { describe, expect, it } from 'vitest';
import type { MemberInfo } from '../state/member.ts';
import type { MetaTable } from '../storage/meta.ts';
import type { PeerIdentity } from '../transport/frame.ts';
import type { ClusterIdentity } from './identity.ts';
import { KnownPeers } from './peers.ts';
import { Roster } from './roster.ts';

const [ID1, ID2, ID3] = ['01', '02', '03'].map((id) => id.padStart(16, '0')) as [
  string,
  string,
  string,
];
const identity: ClusterIdentity = {
  clusterId: 'c1',
  memberId: ID1,
  members: [
    { name: 'm1', url: 'do://m1', id: ID1 },
    { name: 'm2', url: 'do://m2', id: ID2 },
  ],
};
const m2: PeerIdentity = { clusterId: 'c1', memberId: ID2, databaseId: 'd2' };

/** The rows of the table of single values, as far as they are used here. */
function rows(): MetaTable & { readonly written: Map<string, unknown> } {
  const written = new Map<string, unknown>();
  const table = {
    written,
    text: (name: string) => written.get(name) ?? null,
    set: (name: string, value: unknown) => void written.set(name, value),
  };
  return table as unknown as ReturnType<typeof rows>;
}

/** What a member of the cluster knows, with these members left and those removed. */
function knownPeers(meta: MetaTable, removed: readonly bigint[] = []): KnownPeers {
  const roster = new Roster(identity, []);
  const all: MemberInfo[] = [1n, 2n]
    .filter((id) => !removed.includes(id))
    .map((id) => ({
      id,
      name: `m${id}`,
      clientUrls: [],
      peerUrls: [`do://m${id}`],
      isLearner: false,
    }));
  roster.follow({ all, confIndex: 0, isRemoved: (id) => removed.includes(id) });
  return new KnownPeers(meta, 'c1', roster);
}

describe('known peers', () => {
  it('are written down at first contact, once', () => {
    const meta = rows();
    const peers = knownPeers(meta);
    expect(peers.check(m2)).toBeNull();
    expect([...meta.written]).toEqual([[`peer.${ID2}`, 'd2']]);
    meta.written.clear();
    expect(peers.check(m2)).toBeNull();
    expect(meta.written.size).toBe(0);
  });

  it('are refused with another database, and stay known by the first', () => {
    const peers = knownPeers(rows());
    peers.check(m2);
    const refusal = peers.check({ ...m2, databaseId: 'dx' });
    expect(refusal?.status).toBe('refused');
    expect(refusal?.reason).toMatch(
      /^member m2 \(0+2\) has lost its data: .* database d2, this one is dx\./,
    );
    expect(refusal?.reason).toMatch(/remove the member and add it again$/);
    expect(peers.check(m2)).toBeNull();
  });

  it('are known to the next instance', () => {
    const meta = rows();
    knownPeers(meta).check(m2);
    expect(knownPeers(meta).check({ ...m2, databaseId: 'dx' })?.reason).toMatch(/lost its data/);
  });

  it('of another cluster are refused in etcd’s words, and not written down', () => {
    const meta = rows();
    const reason = 'request cluster ID mismatch (got c9 want c1)';
    expect(knownPeers(meta).check({ ...m2, clusterId: 'c9' })).toEqual({
      status: 'refused',
      reason,
    });
    expect(meta.written.size).toBe(0);
  });

  it('may be members that this one has not heard of yet', () => {
    const meta = rows();
    expect(knownPeers(meta).check({ ...m2, memberId: ID3, databaseId: 'd3' })).toBeNull();
    expect([...meta.written]).toEqual([[`peer.${ID3}`, 'd3']]);
  });

  it('that were removed are told so, for ever, in etcd’s words', () => {
    const reason = 'the member has been permanently removed from the cluster';
    const peers = knownPeers(rows(), [2n]);
    expect(peers.check(m2)).toEqual({ status: 'removed', reason });
    expect(peers.check({ ...m2, databaseId: 'dx' })).toEqual({ status: 'removed', reason });
  });
});
