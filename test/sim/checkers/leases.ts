import { INTERNAL } from '../../../src/api/caller.ts';
import { mapKey } from '../../../src/lib/bytes.ts';
import type { StateMachine } from '../../../src/state/machine.ts';
import type { Begun } from '../clients.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import type { CommittedEntry, CommittedLog } from './committed_log.ts';

/** Members count whole milliseconds, at both ends. */
const CLOCK_GRAIN_US = 2_000;

/** One lease, from its grant to its end; its id may be granted again after that. */
interface Life {
  readonly fromIndex: number;
  readonly ttlSeconds: number;
  /** Clients may rely on it until then, by the fastest clock that a member has. */
  aliveUntilUs: number;
  endIndex: number | null;
  expiredAtUs: number | null;
}

/** A1 to A5: when leases end, who ends them and what clients are told of it. */
export class LeaseChecker {
  readonly #world: World;
  readonly #log: CommittedLog;
  readonly #lives = new Map<bigint, Life[]>();
  readonly #fastest: number;

  constructor(world: World, log: CommittedLog) {
    this.#world = world;
    this.#log = log;
    this.#fastest = Math.max(...world.plan.members.map(({ clockRate }) => clockRate));
    log.onCommit((entry) => this.#committed(entry));
  }

  /** Leases that exist. */
  get liveCount(): number {
    return [...this.#lives.values()].flat().filter(({ endIndex }) => endIndex === null).length;
  }

  /** A3: the keepalive succeeded, so the lease was there at a place after the request. */
  renewed(id: bigint, ttlSeconds: number, { floor, atUs }: Begun): void {
    const life = this.#lastOf(id);
    const lived = life !== null && (life.endIndex === null || life.endIndex > floor);
    holds(lived, 'A3', () => {
      return `lease ${id} is kept alive, it ended at index ${life?.endIndex} before ${floor}`;
    });
    this.#world.coverage.add('leasesRenewed');
    const ttl = Math.min(ttlSeconds, life.ttlSeconds);
    life.aliveUntilUs = Math.max(life.aliveUntilUs, atUs + this.#leastUs(ttl));
    this.#checkEnd(id, life);
  }

  /** A3, the other way: what is said to be gone is gone. */
  missing(id: bigint, { floor }: Begun): void {
    const life = this.#lastOf(id);
    const lives = life !== null && life.endIndex === null && life.fromIndex <= floor;
    holds(!lives, 'A3', () => `lease ${id} is said to be gone, it lives since ${life?.fromIndex}`);
  }

  /** A4: each lease has the keys that were last attached to it, and no key has two. */
  deepCheck(name: string, machine: StateMachine): void {
    if (machine.appliedIndex !== this.#log.lastIndex) return;
    const expected = this.#log.model.leases;
    const ids = machine.leases().map(({ id }) => id);
    holds(ids.length === expected.length && expected.every((id) => ids.includes(id)), 'A4', () => {
      return `${name} has the leases ${ids}, must have ${expected}`;
    });
    for (const id of ids) {
      const keys = machine.leaseTimeToLive(id, true, INTERNAL)?.keys.map(mapKey).sort() ?? [];
      const attached = this.#log.model.keysOf(id);
      holds(keys.join() === attached.join(), 'A4', () => {
        return `${name}: lease ${id} has the keys ${keys}, must have ${attached}`;
      });
    }
  }

  #committed({ entry, command, answer }: CommittedEntry): void {
    if (command === null || answer === null) return;
    const { request } = command;
    const done = answer.type === 'done';
    if (request.case === 'leaseGrant' && done) {
      this.#granted(request.value.ID, Number(request.value.TTL), entry.index);
    } else if (request.case === 'leaseRevoke' && done) {
      this.#ended(request.value.ID, entry.index, null);
    } else if (request.case === 'leaseExpire') {
      holds(command.onlyInTerm !== 0n, 'A2', () => {
        return `the end of lease ${request.value.leaseId} is proposed for every leader's term`;
      });
      this.#world.coverage.add(done ? 'leasesExpired' : 'expiriesVoid');
      if (done) this.#ended(request.value.leaseId, entry.index, this.#world.nowUs);
    }
  }

  #granted(id: bigint, ttlSeconds: number, fromIndex: number): void {
    const aliveUntilUs = this.#world.nowUs + this.#leastUs(ttlSeconds);
    const life = { fromIndex, ttlSeconds, aliveUntilUs, endIndex: null, expiredAtUs: null };
    this.#lives.set(id, [...(this.#lives.get(id) ?? []), life]);
  }

  #ended(id: bigint, index: number, expiredAtUs: number | null): void {
    const life = this.#lastOf(id);
    holds(life !== null && life.endIndex === null, 'A4', () => `lease ${id} ends twice`);
    life.endIndex = index;
    life.expiredAtUs = expiredAtUs;
    this.#checkEnd(id, life);
  }

  /** A1: no lease runs out before the time that its client was promised. */
  #checkEnd(id: bigint, { expiredAtUs, aliveUntilUs }: Life): void {
    holds(expiredAtUs === null || expiredAtUs >= aliveUntilUs, 'A1', () => {
      const ms = Math.ceil((aliveUntilUs - (expiredAtUs ?? 0)) / 1000);
      return `lease ${id} runs out ${ms} ms too early`;
    });
  }

  #lastOf(id: bigint): Life | null {
    return this.#lives.get(id)?.at(-1) ?? null;
  }

  /** How long so many seconds are at least, whoever counts them. */
  #leastUs(seconds: number): number {
    return Math.floor((seconds * 1_000_000) / this.#fastest) - CLOCK_GRAIN_US;
  }
}
