import { describe, expect, it } from 'vitest';
import type { MetaTable } from '../storage/meta.ts';
import type { PeerIdentity } from '../transport/frame.ts';
import type { ClusterIdentity } from './identity.ts';
import { KnownPeers } from './peers.ts';

const identity: ClusterIdentity = {
  clusterId: 'c1',
  memberId: 'id1',
  members: [
    { name: 'm1', url: 'do://m1', id: 'id1' },
    { name: 'm2', url: 'do://m2', id: 'id2' },
  ],
};
const m2: PeerIdentity = { clusterId: 'c1', memberId: 'id2', databaseId: 'd2' };

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

describe('known peers', () => {
  it('are written down at first contact, once', () => {
    const meta = rows();
    const peers = new KnownPeers(meta, identity);
    expect(peers.check(m2)).toBeNull();
    expect([...meta.written]).toEqual([['peer.id2', 'd2']]);
    meta.written.clear();
    expect(peers.check(m2)).toBeNull();
    expect(meta.written.size).toBe(0);
  });

  it('are refused with another database, and stay known by the first', () => {
    const peers = new KnownPeers(rows(), identity);
    peers.check(m2);
    const reason = peers.check({ ...m2, databaseId: 'dx' });
    expect(reason).toMatch(
      /^member m2 \(id2\) has lost its data: .* database d2, this one is dx\./,
    );
    expect(reason).toMatch(/remove the member and add it again$/);
    expect(peers.check(m2)).toBeNull();
  });

  it('are known to the next instance', () => {
    const meta = rows();
    new KnownPeers(meta, identity).check(m2);
    expect(new KnownPeers(meta, identity).check({ ...m2, databaseId: 'dx' })).toMatch(/lost its/);
  });

  it('of another cluster are refused in etcd’s words, and not written down', () => {
    const meta = rows();
    const peers = new KnownPeers(meta, identity);
    const words = 'request cluster ID mismatch (got c9 want c1)';
    expect(peers.check({ ...m2, clusterId: 'c9' })).toBe(words);
    expect(peers.check({ ...m2, memberId: 'id9' })).toBe('id9 is not a member of this cluster');
    expect(meta.written.size).toBe(0);
  });
});
