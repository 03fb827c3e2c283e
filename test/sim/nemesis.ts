import { intBetween, type Prng } from '../../src/lib/prng.ts';
import type { Cluster } from './cluster.ts';
import type { Member } from './member.ts';
import type { Network } from './network.ts';
import type { FaultKind } from './plan.ts';
import { chance, exponential, pick, pickWeighted, shuffled } from './random.ts';
import type { World } from './world.ts';

/** Does to a cluster, at random times, what the plan of the run allows. */
export class Nemesis {
  readonly #world: World;
  readonly #cluster: Cluster;
  readonly #network: Network;
  readonly #prng: Prng;
  /** Only the newest partition is healed by its own timer. */
  #partition = 0;

  constructor(world: World, cluster: Cluster) {
    this.#world = world;
    this.#cluster = cluster;
    this.#network = cluster.network;
    this.#prng = world.fork();
  }

  get #members(): readonly Member[] {
    return this.#cluster.members;
  }

  start(): void {
    this.#world.after(exponential(this.#prng, this.#world.plan.faultIntervalMs), () => {
      if (!this.#world.faulty) return;
      const kind = pickWeighted(this.#prng, this.#world.plan.faultWeights);
      this.#world.note('nemesis', kind);
      this.#inject(kind);
      this.start();
    });
  }

  /** The world is kind from now on; what is down comes back. */
  lift(): void {
    this.#world.faulty = false;
    this.#network.healAll();
    this.#network.burstLoss = 0;
    this.#network.slow = null;
    for (const member of this.#members) {
      member.recoverDisk();
      for (const zombie of member.zombies) if (zombie.unfenced) zombie.kill();
      for (const instance of [member.current, ...member.zombies]) {
        if (instance === null) continue;
        instance.resume();
        instance.crashAfterCalls = null;
      }
      if (member.current === null) member.start();
    }
  }

  #inject(kind: FaultKind): void {
    const { coverage } = this.#world;
    const member = pick(this.#prng, this.#members);
    switch (kind) {
      case 'crash':
        return member.crash();
      case 'crashInsideTurn':
        if (member.current) member.current.crashAfterCalls = intBetween(this.#prng, 1, 40);
        return;
      case 'crashAll':
        coverage.add('crashesOfWholeCluster');
        for (const each of this.#members) each.crash();
        return;
      case 'supersede':
        return this.#supersede(member);
      case 'pause':
        coverage.add('pauses');
        return this.#pause(member);
      case 'slowDisk':
        coverage.add('slowDisks');
        return this.#forAWhile(
          () => (member.diskFactor = pick(this.#prng, [5, 30, 100])),
          () => (member.diskFactor = 1),
        );
      case 'failSync':
        member.failNextSync = true;
        return;
      case 'lossBurst':
        return this.#forAWhile(
          () => (this.#network.burstLoss = pick(this.#prng, [0.1, 0.3, 0.6])),
          () => (this.#network.burstLoss = 0),
        );
      case 'wallClockJump':
        coverage.add('wallClockJumps');
        member.wallClockJumpMs += intBetween(this.#prng, -10_000_000, 10_000_000);
        return;
      case 'transfer':
        return this.#transfer(member);
      case 'transferAndIsolate':
        return this.#transferAndIsolate(member);
      case 'minorityWithSlowDisk':
        return this.#minorityWithSlowDisk(member);
      case 'slowKinds':
        return this.#slowKinds(member);
      case 'unfence':
        return this.#unfence(member);
      default:
        return this.#divide(kind, this.#leaderOr(member));
    }
  }

  /**
   * The old instance usually is cut off from the platform, and late: that is why there is a new
   * one.
   */
  #supersede(member: Member): void {
    const older = member.current;
    if (older === null) return;
    if (chance(this.#prng, 0.5)) this.#pause(member);
    member.start();
  }

  #pause(member: Member): void {
    const untilUs = this.#world.nowUs + Math.ceil(this.#whileMs() * 1000);
    member.current?.pauseUntil(untilUs);
  }

  #transfer(to: Member): void {
    const from = pick(this.#prng, this.#members).current;
    if (from === null) return;
    this.#world.coverage.add('transfersRequested');
    from.step('hands over to', to.id, () => from.node.transferLeadership(to.id));
  }

  /**
   * The transfer lets a successor be elected at once, while the old leader, cut off, has no reason
   * to doubt itself for another election timeout.
   */
  #transferAndIsolate(to: Member): void {
    const from = this.#leader() ?? to;
    if (from === to || from.current === null) return;
    const { current } = from;
    this.#world.coverage.add('transfersRequested');
    current.step('hands over to', to.id, () => current.node.transferLeadership(to.id));
    const { latencyMs } = this.#world.plan;
    const whenMs = latencyMs * (0.5 + 2 * this.#prng.next());
    this.#world.after(whenMs, () => this.#divide('isolate', from));
  }

  /**
   * The leader keeps one follower, too few to commit anything. That one's disk is so slow that what
   * it gets now is still on its way there when the majority's next leader replaces it.
   */
  #minorityWithSlowDisk(follower: Member): void {
    const leader = this.#leader();
    if (leader === null || leader === follower || this.#members.length < 4) return;
    const forMs = this.#world.plan.electionTimeoutMs * pick(this.#prng, [2, 3]);
    follower.diskFactor = pick(this.#prng, [100, 300]);
    this.#world.after(forMs * 2, () => (follower.diskFactor = 1));
    this.#separate([leader, follower], forMs);
  }

  /**
   * Answers arrive long after the leader has given them up, and after it has decided from that. Or
   * its orders arrive after everything that it has sent since.
   */
  #slowKinds(member: Member): void {
    const kinds = pick(this.#prng, [
      ['appendReply', 'snapshot'],
      ['snapshot'],
      ['voteReply'],
      ['read', 'readReply'],
      ['commit'],
    ] as const);
    const delayMs = this.#world.plan.electionTimeoutMs * pick(this.#prng, [0.3, 1, 2]);
    this.#forAWhile(
      () => (this.#network.slow = { member: member.id, kinds: new Set(kinds), delayMs }),
      () => (this.#network.slow = null),
    );
  }

  /**
   * A follower is superseded while it sleeps, and the platform fails to fence it: its writes go
   * nowhere and are confirmed. What it says then is wrong, and only its epoch shows that.
   */
  #unfence(member: Member): void {
    const older = member.current;
    if (older === null || older.node.soft.role !== 'follower') return;
    // One that is a majority by itself, or may become so, could lie to itself: nothing helps there.
    const { profile } = this.#world.plan;
    if (this.#members.length < 2 || profile === 'membership') return;
    this.#pause(member);
    this.#world.after(this.#whileMs() / 2, () => {
      if (!this.#world.faulty || member.current !== older) return;
      if (older.node.soft.role !== 'follower') return;
      older.unfenced = true;
      member.start();
      this.#world.coverage.add('zombiesUnfenced');
      this.#world.after(this.#whileMs() * 2, () => older.kill());
    });
  }

  /** Half of the time the leader: what happens to followers is told sooner. */
  #leaderOr(other: Member): Member {
    return chance(this.#prng, 0.5) ? other : (this.#leader() ?? other);
  }

  #leader(): Member | null {
    const leads = ({ id, current }: Member) => current?.node.soft.leader === id;
    return this.#members.find(leads) ?? null;
  }

  #divide(kind: 'isolate' | 'halves' | 'oneWay' | 'partial', member: Member): void {
    const { coverage } = this.#world;
    this.#network.healAll();
    const partition = ++this.#partition;
    const others = this.#members.filter((other) => other !== member);
    if (kind === 'oneWay') {
      coverage.add('partitionsOneWay');
      const way = pick(this.#prng, ['in', 'out', 'requests'] as const);
      for (const { id } of others) {
        if (way === 'in') this.#network.cut(id, member.id);
        else if (way === 'out') this.#network.cut(member.id, id);
        else this.#network.cutRequests(id, member.id);
      }
    } else if (kind === 'partial') {
      coverage.add('partitionsPartial');
      for (const a of this.#members) {
        for (const b of this.#members) if (chance(this.#prng, 0.3)) this.#network.cut(a.id, b.id);
      }
    } else {
      coverage.add('partitionsSymmetric');
      const mixed = shuffled(this.#prng, this.#members);
      const side = kind === 'isolate' ? [member] : mixed.slice(0, mixed.length >> 1);
      this.#cutOff(side);
    }
    this.#healAfter(this.#whileMs(), partition);
  }

  #separate(side: readonly Member[], forMs: number): void {
    this.#world.coverage.add('partitionsSymmetric');
    this.#network.healAll();
    this.#cutOff(side);
    this.#healAfter(forMs, ++this.#partition);
  }

  #healAfter(ms: number, partition: number): void {
    this.#world.after(ms, () => {
      if (partition === this.#partition) this.#network.healAll();
    });
  }

  #cutOff(side: readonly Member[]): void {
    for (const a of side) {
      for (const b of this.#members) {
        if (side.includes(b)) continue;
        this.#network.cut(a.id, b.id);
        this.#network.cut(b.id, a.id);
      }
    }
  }

  #forAWhile(begin: () => void, end: () => void): void {
    begin();
    this.#world.after(this.#whileMs(), end);
  }

  /** From a blink to several elections. */
  #whileMs(): number {
    const { electionTimeoutMs } = this.#world.plan;
    return electionTimeoutMs * pick(this.#prng, [0.2, 1, 2, 4, 6]) * this.#prng.next();
  }
}
