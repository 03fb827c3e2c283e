import { intBetween } from '../../src/lib/prng.ts';
import type { PeerLinks, SnapshotSource } from '../../src/member/host.ts';
import type { MemberId, Message } from '../../src/raft/message.ts';
import type { Instance } from './instance.ts';
import type { Observer } from './observer.ts';
import { chance, exponential } from './random.ts';
import { SnapshotTransfer } from './snapshot_transfer.ts';
import type { World } from './world.ts';

const STRAY_FACTOR = 100;
/** Election timeouts after which nothing that was sent can arrive any more. */
export const LATENESS_MAX = 8;

/**
 * The network between members: requests and responses, as fetches between objects are. A request
 * reaches the member's current instance, a response only the instance that asked. Both can be
 * lost, late, repeated and overtaken.
 */
export class Network {
  /** Extra loss while a burst lasts. */
  burstLoss = 0;
  readonly #world: World;
  readonly #observer: Observer;
  readonly #current: (id: MemberId) => Instance | null;
  /** Directed links that are cut, as `from>to`. */
  readonly #cut = new Set<string>();
  /** Links over which no request comes through; answers to the other side's requests still do. */
  readonly #cutForRequests = new Set<string>();
  readonly #lastArrivalUs = new Map<string, number>();

  /** @param current the running instance of a member, or null when it is down. */
  constructor(world: World, observer: Observer, current: (id: MemberId) => Instance | null) {
    this.#world = world;
    this.#observer = observer;
    this.#current = current;
  }

  /** How one instance reaches the others. */
  linksOf(instance: Instance): PeerLinks {
    return {
      send: (to, messages) => this.#request(instance, to, this.#asSent(messages)),
      sendSnapshot: (to, source) => this.#sendSnapshot(instance, to, source),
    };
  }

  cut(from: MemberId, to: MemberId): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** As behind an address translation: the one side can ask, the other can only answer. */
  cutRequests(from: MemberId, to: MemberId): void {
    this.#cutForRequests.add(`${from}>${to}`);
  }

  healAll(): void {
    this.#cut.clear();
    this.#cutForRequests.clear();
  }

  /**
   * Carries something one way. `arrive` is called once, or more often; or `lose`, sooner or later.
   */
  carry(from: MemberId, to: MemberId, arrive: () => void, lose: () => void): void {
    const { plan, prng, coverage, faulty } = this.#world;
    if (this.#loses(from, to)) {
      // A refused connection is noticed at once, a silent one after a while, a lost answer never.
      if (chance(prng, 0.7)) this.#world.after(this.#latencyMs(20), lose);
      return;
    }
    const link = `${from}>${to}`;
    const delayMs = this.#latencyMs();
    const atUs = this.#world.nowUs + Math.ceil(delayMs * 1000);
    if (atUs < (this.#lastArrivalUs.get(link) ?? 0)) coverage.add('messagesOvertaken');
    else this.#lastArrivalUs.set(link, atUs);
    this.#world.at(atUs, arrive);
    if (!faulty || !chance(prng, plan.duplicateProbability)) return;
    coverage.add('messagesDuplicated');
    this.#world.after(this.#latencyMs(50), arrive);
  }

  #request(sender: Instance, to: MemberId, messages: readonly Message[]): void {
    this.#world.note(sender.name, 'sends', messages);
    const fail = () =>
      sender.step('finds unreachable', to, () => {
        this.#world.coverage.add('messagesLost');
        sender.node.unreachable(
          to,
          messages.some(({ type }) => type === 'propose'),
        );
      });
    const arrive = () => {
      const receiver = this.#current(to);
      if (receiver === null) return this.#world.after(this.#latencyMs(), fail);
      const receive = () => {
        this.#observer.receiving(receiver, messages);
        receiver.node.receive(messages, (replies) => this.#respond(receiver, sender, replies));
      };
      receiver.request('receives', messages, receive, fail);
    };
    if (this.#cutForRequests.has(`${sender.id}>${to}`)) {
      this.#world.coverage.add('messagesCut');
      this.#world.after(this.#latencyMs(20), fail);
    } else this.carry(sender.id, to, arrive, fail);
  }

  #respond(responder: Instance, asker: Instance, replies: readonly Message[]): void {
    if (!responder.alive || replies.length === 0) return;
    const sent = this.#asSent(replies);
    responder.observeSending(sent);
    this.#world.note(responder.name, 'answers', sent);
    const arrive = () =>
      asker.step('is answered', sent, () => {
        this.#observer.receiving(asker, sent);
        asker.node.receiveReplies(sent);
      });
    const fail = () =>
      asker.step('has no answer', responder.id, () => {
        this.#world.coverage.add('responsesLost');
        asker.node.unreachable(responder.id, true);
      });
    this.carry(responder.id, asker.id, arrive, fail);
  }

  #sendSnapshot(sender: Instance, to: MemberId, source: SnapshotSource): void {
    this.#world.coverage.add('snapshotsSent');
    const transfer = new SnapshotTransfer(this.#world, sender, source, {
      carry: (arrive, lose) => this.carry(sender.id, to, arrive, lose),
      receiver: () => this.#current(to),
      to,
    });
    transfer.start();
  }

  #loses(from: MemberId, to: MemberId): boolean {
    const { plan, prng, coverage, faulty } = this.#world;
    if (!faulty) return false;
    if (this.#cut.has(`${from}>${to}`)) {
      coverage.add('messagesCut');
      return true;
    }
    return chance(prng, plan.lossProbability + this.burstLoss);
  }

  /** @param factorMax the time is multiplied by up to this. */
  #latencyMs(factorMax = 1): number {
    const { plan, prng, faulty } = this.#world;
    const usual = plan.latencyMs / 2 + exponential(prng, plan.latencyMs / 2);
    const stray = faulty && chance(prng, plan.strayProbability) ? STRAY_FACTOR : 1;
    const factor = factorMax === 1 ? stray : stray * intBetween(prng, 1, factorMax);
    return Math.min(usual * factor, plan.electionTimeoutMs * LATENESS_MAX);
  }

  /**
   * What is sent is a value: a member that changed it later would be found out in the runs that
   * freeze it.
   */
  #asSent(messages: readonly Message[]): readonly Message[] {
    if (!this.#world.plan.freezeMessages) return messages;
    for (const message of messages) {
      Object.freeze(message);
      if (message.type === 'append') Object.freeze(message.entries);
    }
    return Object.freeze(messages.slice());
  }
}
