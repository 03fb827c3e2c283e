import { messageOf } from '../lib/error.ts';
import type { MemberId } from '../raft/message.ts';
import { StateMachine } from '../state/machine.ts';
import type { StateStore } from '../state/store.ts';
import type { Links } from '../transport/links.ts';
import { verdict } from './corruption.ts';
import { hashKeys } from './hashing.ts';
import { askFingerprint } from './peer_fingerprint.ts';

const POLL_MS = 250;
/** Between two slices of the hash. */
const PAUSE_MS = 1;

export interface InitialCheckHost {
  readonly memberId: MemberId;
  readonly store: StateStore;
  readonly links: Pick<Links, 'exchange' | 'peerIds'>;
  sleep(ms: number): Promise<void>;
  log(level: 'info' | 'warn', message: string): void;
}

/**
 * ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK: before a member takes part it compares its keys, at the
 * revision that it has, with every other member that answers. Null: it may start; else why not. As
 * in etcd, whoever cannot be asked, or has compacted that revision, is passed over. Unlike etcd's,
 * a member stays out only when more than half of the cluster has other keys than it: else the first
 * one to start, were it the damaged one, would keep all the sound ones out. Where it is not clear
 * who is wrong the leader's next comparison finds out.
 */
export async function initialMismatch(host: InitialCheckHost): Promise<string | null> {
  const machine = new StateMachine(host.store);
  const { revision } = machine;
  const slices = {
    machine: () => machine,
    guard: <T>(work: () => T) => work(),
    pause: () => host.sleep(PAUSE_MS),
  };
  const { hash } = await hashKeys(slices, revision);
  const sums = new Map<MemberId, number | null>([[host.memberId, hash]]);
  for (const peer of host.links.peerIds) sums.set(peer, await hashOf(host, peer, revision));
  const accused = verdict(sums, sums.size);
  if (accused.length === 0) {
    host.log('info', `no member has other keys at revision ${revision}`);
    return null;
  }
  const shown = [...sums].map(([member, sum]) => `${member}: ${sum}`).join(', ');
  if (accused !== 'nobody knows' && accused.includes(host.memberId)) {
    return `checkInitialHashKV failed: the other members have other keys at revision ${revision} (${shown})`;
  }
  host.log('warn', `members have different keys at revision ${revision} (${shown})`);
  return null;
}

async function hashOf(
  host: InitialCheckHost,
  peer: MemberId,
  revision: number,
): Promise<number | null> {
  try {
    for (;;) {
      const answer = await askFingerprint(host.links, peer, { index: 0, revision });
      if (!answer.pending || answer.behind) return answer.hash;
      await host.sleep(POLL_MS);
    }
  } catch (error) {
    host.log('warn', `${peer} is not compared: ${messageOf(error)}`);
    return null;
  }
}
