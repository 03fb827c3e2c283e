import { relative } from 'node:path';
import { must } from '../lib/assert.ts';
import type { LocalCluster } from './cluster.ts';
import { StartError } from './error.ts';
import { type Access, firstSteps } from './first_steps.ts';
import type { SupervisedMember } from './member.ts';
import type { Output } from './output.ts';
import type { Probe } from './probe.ts';

/** How long a cluster may take to elect a leader before we say who is missing. */
const readyWithinMs = 30_000;

type ReadyProbe = Extract<Probe, { state: 'ready' }>;

interface MemberState {
  readonly member: SupervisedMember;
  readonly probe: Probe;
}

/**
 * Waits until the members serve, then says how to reach them. A member that will not serve, or is
 * late, is named and does not hold up the others.
 * @throws StartError when no member will ever serve
 */
export async function showReady(
  cluster: LocalCluster,
  output: Output,
  stop: AbortSignal,
): Promise<void> {
  for (;;) {
    const deadlineMs = performance.now() + readyWithinMs;
    const states = await settleAll(
      cluster.members,
      () => stop.aborted || performance.now() > deadlineMs,
    );
    if (stop.aborted) return;
    for (const { member, probe } of states) {
      if (probe.state !== 'waiting') continue;
      output.warning(`${member.address.name} (${member.url}) is not ready: ${probe.reason}`);
    }
    if (states.every(({ probe }) => probe.state === 'refused')) {
      throw new StartError('no member serves; the reasons are above');
    }
    if (states.some(({ probe }) => probe.state === 'ready')) {
      return showTable(cluster, output, states);
    }
    output.warning(`no leader after ${readyWithinMs / 1_000} s; still waiting, Ctrl-C stops`);
  }
}

function settleAll(
  members: readonly SupervisedMember[],
  isOver: () => boolean,
): Promise<MemberState[]> {
  return Promise.all(
    members.map(async (member) => ({ member, probe: await member.settle(isOver) })),
  );
}

function showTable(cluster: LocalCluster, output: Output, states: readonly MemberState[]): void {
  const leader = findLeader(states);
  output.line();
  output.heading(`edgetcd ${cluster.joined ? 'member' : `cluster "${cluster.name}"`} is ready`);
  output.table([
    ['member', 'endpoint', 'pid', 'data'],
    ...cluster.members.map(({ address, url, pid }) => [
      address.name,
      url,
      String(pid ?? '-'),
      shownPath(cluster.directory.memberPath(address.name)),
    ]),
  ]);
  if (cluster.joined) return showJoined(output, states);
  const access = accessOf(states);
  if (access === 'open') {
    output.line(`leader: ${leader?.address.name ?? 'not among the members that answer'}`);
  }
  const { url } = leader ?? must(cluster.members[0], 'a cluster has a member');
  output.line();
  for (const line of firstSteps(access, url)) output.line(line);
  output.line();
  output.line('Ctrl-C stops it; npm start with the same --data-dir starts it again');
}

/** What the members that answer let a stranger do. */
function accessOf(states: readonly MemberState[]): Access {
  const ready = states.flatMap(({ probe }) => (probe.state === 'ready' ? [probe] : []));
  if (ready.some(({ memberId }) => memberId !== null)) return 'open';
  return ready.some(({ closed }) => closed) ? 'closed' : 'login';
}

/** What to do with a member that has joined. */
function showJoined(output: Output, states: readonly MemberState[]): void {
  for (const { member, probe } of states) {
    if (probe.state !== 'ready' || !probe.learner) continue;
    const { name } = member.address;
    output.line();
    output.line(`${name} is a learner; to let it vote, ask any other member:`);
    output.line(`curl <url>/v3/cluster/member/promote -d '{"ID":"${probe.memberId}"}'`);
  }
  if (accessOf(states) === 'closed') {
    output.line();
    output.line('It is closed until authentication is enabled: ETCD_ROOT_PASSWORD=<password> does');
    output.line('that once, and ALLOW_NONE_AUTHENTICATION=yes serves everyone who can reach it.');
  }
  output.line();
  output.line('Ctrl-C stops it; the same --data-dir starts it again');
}

/** The member that most others name; while they differ, an election is under way. */
function findLeader(states: readonly MemberState[]): SupervisedMember | null {
  const ready = states.flatMap(({ member, probe }) =>
    probe.state === 'ready' && probe.memberId !== null ? [{ member, probe }] : [],
  );
  const votes = ({ probe }: { probe: ReadyProbe }): number =>
    ready.filter((other) => other.probe.leaderId === probe.memberId).length;
  const [first] = ready.sort((a, b) => votes(b) - votes(a));
  return first !== undefined && votes(first) > 0 ? first.member : null;
}

/** Relative where that is shorter to read. */
function shownPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}
