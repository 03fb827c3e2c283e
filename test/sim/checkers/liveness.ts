import { create } from '@bufbuild/protobuf';
import { RangeRequestSchema } from '../../../src/api/gen/rpc_pb.ts';
import { utf8 } from '../../../src/lib/bytes.ts';
import type { Clients } from '../clients.ts';
import type { Instance } from '../instance.ts';
import type { Member } from '../member.ts';
import { LATENESS_MAX } from '../network.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import type { Checkers } from './checkers.ts';

/** Election timeouts until there must be a leader that everybody follows. */
const ELECTIONS = 10;

/**
 * V1 to V5: once the faults are lifted the cluster must recover by itself, completely, and soon.
 */
export class LivenessChecker {
  readonly #world: World;
  readonly #members: readonly Member[];
  readonly #clients: Clients;
  readonly #checkers: Checkers;

  constructor(world: World, members: readonly Member[], clients: Clients, checkers: Checkers) {
    this.#world = world;
    this.#members = members;
    this.#clients = clients;
    this.#checkers = checkers;
  }

  /** Runs the cluster to its end. @throws Violation */
  check(): void {
    this.#clients.stop();
    this.#reaches('V1', 'one leader that all follow', () => this.#hasOneLeader());
    this.#reaches('V2', 'an answer for every request', () => this.#clients.openCount === 0);
    // A member that catches up by a snapshot cannot tell its clients what became of their writes.
    this.#reaches('V3', 'equal members', () => this.#areEqual());
    this.#serves();
    this.#reaches('V3', 'equal members again', () => this.#areEqual());
    for (const member of this.#members) {
      const { machine } = instanceOf(member).node;
      this.#checkers.state.deepCheck(`member ${member.number}`, machine, 'V5');
    }
    if (this.#world.plan.quiesceAfterMs > 0) this.#sleeps();
  }

  /** P4: a cluster without work falls silent, sets no timer, and (V7) wakes when it is asked. */
  #sleeps(): void {
    const { electionTimeoutMs, quiesceAfterMs } = this.#world.plan;
    // A superseded instance that asks for votes for ever keeps no one from serving, but it keeps
    // them awake; the platform ends it when it has nothing to do.
    for (const member of this.#members) for (const zombie of member.zombies) zombie.kill();
    const drowsyMs = 2 * quiesceAfterMs + (ELECTIONS + 2 * LATENESS_MAX) * electionTimeoutMs;
    this.#world.run(this.#world.nowUs + drowsyMs * 1000);
    const before = this.#world.trace.count;
    this.#world.run(this.#world.nowUs + 10 * drowsyMs * 1000);
    const events = this.#world.trace.count - before;
    holds(events === 0, 'P4', () => `${events} events in an idle cluster that should sleep`);
    this.#serves();
  }

  /**
   * V5: every member takes a write and answers a read. The outcome of a write is not known when the
   * member was so far behind that it got a snapshot meanwhile: then the client tries again.
   */
  #serves(): void {
    const request = create(RangeRequestSchema, { key: utf8('k0'), rangeEnd: utf8('k9') });
    for (const member of this.#members) {
      let open = 2;
      const write = () =>
        this.#clients.writeOnce(instanceOf(member), (error) => (error ? write() : open--));
      const read = () =>
        this.#clients.readOnce(instanceOf(member), request, (error) => (error ? read() : open--));
      write();
      read();
      this.#reaches('V2', `a write and a read at member ${member.number}`, () => open === 0);
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

  #reaches(invariant: string, goal: string, done: () => boolean): void {
    const { nowUs, plan } = this.#world;
    const slowest = Math.min(...plan.members.map(({ clockRate }) => clockRate));
    const limitMs = (ELECTIONS * plan.electionTimeoutMs + 2 * plan.requestTimeoutMs) / slowest;
    this.#world.run(nowUs + limitMs * 1000, done);
    holds(
      done(),
      invariant,
      () => `no ${goal} within ${Math.ceil(limitMs)} ms of a healthy cluster`,
    );
  }
}

function instanceOf(member: Member): Instance {
  const { current } = member;
  holds(current !== null, 'V1', () => `member ${member.number} is down in a healthy cluster`);
  return current;
}
