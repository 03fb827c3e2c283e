import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '../src/lib/assert.ts';
import { portIsFree } from '../src/local/ports.ts';
import { type Probe, probeMember } from '../src/local/probe.ts';

const readyWithinMs = 60_000;
const probeTimeoutMs = 2_000;

export interface BenchMember {
  readonly name: string;
  readonly url: string;
  /** Its process, where it is one of ours to look at. */
  readonly pid: number | null;
}

/** A cluster under load. The leader comes first, so that like is compared with like. */
export interface System {
  readonly name: 'ours' | 'etcd';
  readonly members: readonly BenchMember[];
  /** The process that clients connect to, where members have one in front of them. */
  readonly front?: Pick<BenchMember, 'name' | 'pid'>;
  /** Ends what was started for it and removes its data. */
  stop(): Promise<void>;
}

/** A cluster that runs already and is left running. */
export async function runningSystem(urls: readonly string[], signal: AbortSignal): Promise<System> {
  const members = urls.map((url, i) => ({ name: `m${i + 1}`, url, pid: null }));
  return { name: 'ours', members: await leaderFirst(members, signal), stop: async () => undefined };
}

/**
 * Waits until every member serves and knows a leader.
 * @returns the members, the leader first; where no member leads (one endpoint in front of all, say)
 * in the order given
 * @throws when that takes too long, saying who is late and why
 */
export async function leaderFirst(
  members: readonly BenchMember[],
  signal: AbortSignal,
): Promise<BenchMember[]> {
  const deadlineMs = performance.now() + readyWithinMs;
  for (;;) {
    signal.throwIfAborted();
    const probes = await Promise.all(members.map(({ url }) => probeMember(url, probeTimeoutMs)));
    const late = probes.findIndex(({ state }) => state !== 'ready');
    if (late < 0) {
      const leads = probes.map((probe) => probe.state === 'ready' && isLeader(probe));
      return [...members.filter((_, i) => leads[i]), ...members.filter((_, i) => !leads[i])];
    }
    if (performance.now() > deadlineMs) throw lateMember(members[late], probes[late]);
    await sleep(100, undefined, { signal });
  }
}

function isLeader(probe: Extract<Probe, { state: 'ready' }>): boolean {
  return probe.memberId === probe.leaderId;
}

function lateMember(member: BenchMember | undefined, probe: Probe | undefined): Error {
  const { name, url } = must(member, 'a member is late');
  const reason = probe !== undefined && probe.state !== 'ready' ? probe.reason : 'no reason';
  return new Error(`${name} (${url}) does not serve after ${readyWithinMs / 1_000} s: ${reason}`);
}

/**
 * A first port from which all ports that follow from it are free, the furthest 30,000 further on:
 * below the ephemeral range, of which any connection of this machine may have taken one.
 */
export async function findFirstPort(portsFrom: (first: number) => number[]): Promise<number> {
  const spread = (process.pid % 50) * 20;
  for (let first = 1_200 + spread; first < 2_700; first += 7) {
    const free = await Promise.all(portsFrom(first).map((port) => portIsFree(port)));
    if (free.every(Boolean)) return first;
  }
  throw new Error('no free ports');
}
