/**
 * What the leader looks at before it changes who votes: how many members have started, are heard,
 * and are in sync. etcd's rules, of which ETCD_STRICT_RECONFIG_CHECK=false lifts those that only
 * protect the quorum. Whether a change fits at all is said by the state (state/member.ts).
 */
import { EtcdError } from '../api/error.ts';
import { nameInUrl } from '../api/peer_url.ts';
import { isVoter } from '../raft/membership.ts';
import type { MemberId } from '../raft/message.ts';
import { majoritySize } from '../raft/quorum.ts';
import type { PeerStatus, RaftStatus } from '../raft/raft.ts';
import type { MemberInfo } from '../state/member.ts';
import { idOfNumber } from './identity.ts';
import type { ServiceHost } from './services/service.ts';

type View = Pick<ServiceHost, 'node' | 'machine' | 'settings'> & {
  readonly clock: { nowMs(): number };
};

/** A learner may vote when it has so much of what the leader has. */
const IN_SYNC = 0.9;

/**
 * A member more makes the quorum larger at once, before the new one has started. @throws EtcdError
 */
export function mayAdd(host: View, isLearner: boolean): void {
  if (!host.settings.strictReconfigCheck) return;
  const voters = votersOf(host);
  const started = voters.filter(isStarted).length;
  const quorum = majoritySize(voters.length + 1);
  // From one member to two there is no other way.
  const isFirst = started === 1 && voters.length === 1;
  if (!isLearner && started < quorum && !isFirst) throw EtcdError.of('notEnoughStartedMembers');
  // Since 3.5.30 and 3.6.11 a member may be down if those that are heard are a quorum afterwards.
  const heard = countHeard(host, voters);
  if (heard < quorum && !(isFirst && heard === 1)) throw EtcdError.of('unhealthyCluster');
}

/**
 * Where members are objects of one deployment nobody else is reached, and from elsewhere no object
 * of it is: a member of the other kind could never start, and would count for the quorum.
 * @throws EtcdError
 */
export function mayLiveAt({ machine }: Pick<View, 'machine'>, urls: readonly string[]): void {
  const present = machine.membership.all.flatMap(({ peerUrls }) => peerUrls);
  const objects = present.filter(isObject).length;
  const newObjects = urls.filter(isObject).length;
  if (objects === present.length && newObjects < urls.length) {
    throw EtcdError.of('memberElsewhere');
  }
  if (objects === 0 && newObjects > 0) throw EtcdError.of('memberNotElsewhere');
}

function isObject(url: string): boolean {
  return nameInUrl(url) !== '';
}

/** @throws EtcdError */
export function mayRemove(host: View, id: bigint): void {
  if (!host.settings.strictReconfigCheck) return;
  const voters = votersOf(host);
  const others = voters.filter((voter) => voter.id !== id);
  const isMember = others.length < voters.length;
  if (!isMember) return; // A learner, or nobody: the quorum stays what it is.
  const started = others.filter(isStarted).length;
  if (started < majoritySize(others.length)) throw EtcdError.of('notEnoughStartedMembers');
  // One that is not heard is not part of the quorum that works.
  if (!isHeard(host, id)) return;
  if (countHeard(host, voters) - 1 < majoritySize(others.length)) {
    throw EtcdError.of('unhealthyCluster');
  }
}

/** @throws EtcdError */
export function mayPromote(host: View, id: bigint): void {
  const member = host.machine.membership.all.find((known) => known.id === id);
  if (!member) throw EtcdError.of('memberNotFound');
  if (!member.isLearner) throw EtcdError.of('memberNotLearner');
  const { progress, lastIndex } = host.node.status.raft;
  const match = progress.get(idOfNumber(id))?.match ?? 0;
  if (match < lastIndex * IN_SYNC) throw EtcdError.of('learnerNotReady');
  if (!host.settings.strictReconfigCheck) return;
  const voters = votersOf(host);
  const started = voters.filter(isStarted).length + 1;
  if (started < majoritySize(voters.length + 1)) throw EtcdError.of('notEnoughStartedMembers');
}

/** The voter that is the furthest, and of those the one heard last; null when there is no other. */
export function successorOf({ progress, confState }: RaftStatus): MemberId | null {
  let best: { readonly id: MemberId; readonly peer: PeerStatus } | null = null;
  for (const [id, peer] of progress) {
    if (!isVoter(confState, id)) continue;
    const { match = -1, heardMs = 0 } = best?.peer ?? {};
    const isBetter = peer.match > match || (peer.match === match && peer.heardMs > heardMs);
    if (isBetter) best = { id, peer };
  }
  return best?.id ?? null;
}

function votersOf({ machine }: View): readonly MemberInfo[] {
  return machine.membership.all.filter(({ isLearner }) => !isLearner);
}

/** It has said how it is called. */
function isStarted({ name }: MemberInfo): boolean {
  return name !== '';
}

function countHeard(host: View, voters: readonly MemberInfo[]): number {
  return voters.filter(({ id }) => isHeard(host, id)).length;
}

/** It is this leader, or has answered it within an election timeout, in its term. */
function isHeard({ node, settings, clock }: View, id: bigint): boolean {
  const { raft } = node.status;
  const peerId = idOfNumber(id);
  if (peerId === raft.id) return true;
  const peer = raft.progress.get(peerId);
  if (peer === undefined || peer.match === 0) return false;
  return clock.nowMs() - peer.heardMs < settings.electionTimeoutMs;
}
