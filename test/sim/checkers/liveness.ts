import { create } from '@bufbuild/protobuf';
import type { EtcdError } from '../../../src/api/error.ts';
import { RangeRequestSchema } from '../../../src/api/gen/rpc_pb.ts';
import { utf8 } from '../../../src/lib/bytes.ts';
import type { Clients } from '../clients.ts';
import type { Cluster } from '../cluster.ts';
import type { Instance } from '../instance.ts';
import type { Member } from '../member.ts';
import { LATENESS_MAX } from '../network.ts';
import { holds } from '../violation.ts';
import type { Goal } from '../workloads/workload.ts';
import type { World } from '../world.ts';
import type { Checkers } from './checkers.ts';

/** Election timeouts until there must be a leader that everybody follows. */
const ELECTIONS = 10;

/**
 * V1 to V5: once the faults are lifted the cluster must recover by itself, completely, and soon.
 */
export class LivenessChecker {
  readonly #world: World;
  readonly #cluster: Cluster;
  readonly #clients: Clients;
  readonly #checkers: Checkers;

  constructor(world: World, cluster: Cluster, clients: Clients) {
    this.#world = world;
    this.#cluster = cluster;
    this.#clients = clients;
    this.#checkers = cluster.checkers;
  }

  /** Those that must recover: members by the last configuration whose disks exist. */
  get #members(): readonly Member[] {
    const { voters, learners } = this.#checkers.configurations.current;
    const belongs = ({ id }: Member) => voters.includes(id) || learners.includes(id);
    return this.#cluster.members.filter(belongs);
  }

  /** Runs the cluster to its end. @throws Violation */
  async check(goals: readonly Goal[]): Promise<void> {
    this.#clients.stop();
    await this.#reaches('V1', 'one leader that all follow', () => this.#hasOneLeader());
    await this.#reaches('V2', 'an answer for every request', () => this.#clients.openCount === 0);
    // A member that catches up by a snapshot cannot tell its clients what became of their writes.
    await this.#reaches('V3', 'equal members', () => this.#areEqual());
    await this.#serves();
    for (const { invariant, missing, extraMs } of goals) {
      const goal = () => missing() ?? 'nothing';
      await this.#reaches(invariant, goal, () => missing() === null, extraMs);
    }
    await this.#reaches('V3', 'equal members again', () => this.#areEqual());
    for (const member of this.#members) {
      const { machine } = instanceOf(member).node;
      this.#checkers.state.deepCheck(`member ${member.number}`, machine, 'V5');
    }
    if (this.#world.plan.quiesceAfterMs > 0) await this.#sleeps();
  }

  /** P4: a cluster without work falls silent, sets no timer, and (V7) wakes when it is asked. */
  async #sleeps(): Promise<void> {
    const { electionTimeoutMs, quiesceAfterMs } = this.#world.plan;
    // A superseded instance that asks for votes for ever keeps no one from serving, but it keeps
    // them awake; the platform ends it when it has nothing to do.
    for (const member of this.#members) for (const zombie of member.zombies) zombie.kill();
    const drowsyMs = 2 * quiesceAfterMs + (ELECTIONS + 2 * LATENESS_MAX) * electionTimeoutMs;
    await this.#world.run(this.#world.nowUs + drowsyMs * 1000);
    const before = this.#world.trace.count;
    await this.#world.run(this.#world.nowUs + 10 * drowsyMs * 1000);
    const events = this.#world.trace.count - before;
    holds(events === 0, 'P4', () => `${events} events in an idle cluster that should sleep`);
    await this.#serves();
  }

  /**
   * V5: every member takes a write and answers a read. The outcome of a write is not known when the
   * member was so far behind that it got a snapshot meanwhile: then the client tries again.
   */
  async #serves(): Promise<void> {
    const request = create(RangeRequestSchema, { key: utf8('k0'), rangeEnd: utf8('k9') });
    for (const member of this.#members) {
      let open = 2;
      // A change that removes it may be under way still, or made while the one before was asked.
      const belongs = () => this.#members.includes(member);
      if (!belongs()) continue;
      const again = (error: EtcdError | null, retry: () => void) => {
        if (error === null) open -= 1;
        else if (belongs()) retry();
      };
      const write = () =>
        this.#clients.writeOnce(instanceOf(member), (error) => again(error, write));
      const read = () =>
        this.#clients.readOnce(instanceOf(member), request, (error) => again(error, read));
      write();
      read();
      const done = () => open === 0 || !belongs();
      await this.#reaches('V2', `a write and a read at member ${member.number}`, done);
    }
  }

  #hasOneLeader(): boolean {
    const leaders = this.#members.map(({ current }) => current?.node.soft.leader ?? null);
    const terms = this.#members.map(({ current }) => current?.node.soft.term);
    const [leader, term] = [leaders[0], terms[0]];
    if (leader === null || leader === undefined) return false;
    return leaders.every((other) => other === leader) && terms.every((other) => other === term);
  }

  /** V3: same index, same outcomes, same keys. */
  #areEqual(): boolean {
    // A fault that was under way when faults were lifted may still end an instance: it comes back.
    if (this.#members.some(({ current }) => current === null)) return false;
    const machines = this.#members.map((member) => instanceOf(member).node.machine);
    const last = this.#checkers.committed.lastIndex;
    return machines.every(
      (machine) =>
        machine.appliedIndex === last && machine.hashKv(0).hash === machines[0]?.hashKv(0).hash,
    );
  }

  async #reaches(
    invariant: string,
    goal: string | (() => string),
    done: () => boolean,
    extraMs = 0,
  ): Promise<void> {
    const { nowUs, plan } = this.#world;
    const slowest = Math.min(...plan.members.map(({ clockRate }) => clockRate));
    const usualMs = ELECTIONS * plan.electionTimeoutMs + 2 * plan.requestTimeoutMs;
    const limitMs = (usualMs + extraMs) / slowest;
    await this.#world.run(nowUs + limitMs * 1000, done);
    holds(done(), invariant, () => {
      const words = typeof goal === 'string' ? goal : goal();
      return `no ${words} within ${Math.ceil(limitMs)} ms of a healthy cluster`;
    });
  }
}

function instanceOf(member: Member): Instance {
  const { current } = member;
  holds(current !== null, 'V1', () => `member ${member.number} is down in a healthy cluster`);
  return current;
}
