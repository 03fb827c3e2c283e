import { intBetween } from '../../src/lib/prng.ts';
import type { SnapshotSource } from '../../src/member/host.ts';
import type { RuntimeHost } from '../../src/member/runtime.ts';
import type { MemberId, Message } from '../../src/raft/message.ts';
import type { FrameBody, FrameReply } from '../../src/transport/frame.ts';
import { membersIn } from './disk.ts';
import type { Instance } from './instance.ts';
import type { Member } from './member.ts';
import type { Observer } from './observer.ts';
import { chance, exponential } from './random.ts';
import { SnapshotTransfer } from './snapshot_transfer.ts';
import type { World } from './world.ts';

const STRAY_FACTOR = 100;
/** Election timeouts after which nothing that was sent can arrive any more. */
export const LATENESS_MAX = 8;

export interface SlowKinds {
  readonly member: MemberId;
  readonly kinds: ReadonlySet<Message['type']>;
  readonly delayMs: number;
}

/**
 * The network between members: requests and responses, as over WebSockets between objects. A
 * request reaches the member's current instance, or one that was replaced and still has its
 * sockets; a response only the instance that asked. Both can be lost, late, repeated and overtaken.
 */
export class Network {
  /** Extra loss while a burst lasts. */
  burstLoss = 0;
  /** What is carried late, to and from one member. */
  slow: SlowKinds | null = null;
  readonly #world: World;
  readonly #observer: Observer;
  readonly #all: () => readonly Member[];
  /** Directed links that are cut, as `from>to`. */
  readonly #cut = new Set<string>();
  /** Links over which no request comes through; answers to the other side's requests still do. */
  readonly #cutForRequests = new Set<string>();
  readonly #lastArrivalUs = new Map<string, number>();
  /** By receiver and member, the highest epoch that was heard. */
  readonly #epochs = new Map<Instance, Map<MemberId, number>>();

  constructor(world: World, observer: Observer, all: () => readonly Member[]) {
    this.#world = world;
    this.#observer = observer;
    this.#all = all;
  }

  /** How one instance reaches the others. */
  linksOf(instance: Instance): RuntimeHost['links'] {
    return {
      send: (to, messages) => this.#request(instance, to, this.#asSent(messages)),
      sendSnapshot: (to, source) => this.#sendSnapshot(instance, to, source),
      exchange: (to, body) => this.#exchange(instance, to, body),
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
  carry(from: MemberId, to: MemberId, arrive: () => void, lose: () => void, extraMs = 0): void {
    const { plan, prng, coverage, faulty } = this.#world;
    if (this.#loses(from, to)) {
      // A refused connection is noticed at once, a silent one after a while, a lost answer never.
      if (chance(prng, 0.7)) this.#world.after(this.#latencyMs(20), lose);
      return;
    }
    const link = `${from}>${to}`;
    const delayMs = this.#latencyMs() + extraMs;
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
      const receiver = this.#reached(to);
      if (receiver === null) return this.#world.after(this.#latencyMs(), fail);
      if (!this.#mayMeet(sender, receiver)) return;
      if (this.#isRemoved(sender, receiver)) {
        if (mayTell(this.#find(to), sender.id)) this.#tellRemoved(sender);
        return;
      }
      const receive = () => {
        this.#hears(receiver, messages);
        receiver.node.receive(messages, (replies) => this.#respond(receiver, sender, replies));
      };
      if (receiver.state === 'running') receiver.request('receives', messages, receive, fail);
      else this.#overOldSocket(receiver, messages, receive, fail);
    };
    if (this.#cutForRequests.has(`${sender.id}>${to}`)) {
      this.#world.coverage.add('messagesCut');
      this.#world.after(this.#latencyMs(20), fail);
    } else this.carry(sender.id, to, arrive, fail, this.#extraMs(sender.id, to, messages));
  }

  /** A call of one member at another, as over a fetch: one answer, or none in time. */
  #exchange(asker: Instance, to: MemberId, body: FrameBody): Promise<FrameReply> {
    const sender = { clusterId: '', memberId: asker.id, databaseId: '' };
    return new Promise((resolve, reject) => {
      let ended = false;
      const end = (verb: string, then: () => void) => {
        if (ended) return;
        ended = true;
        asker.step(verb, to, then);
      };
      const fail = () => end('has no answer', () => reject(new Error('no answer')));
      const answer = (reply: FrameReply) => end('is answered', () => resolve(reply));
      const arrive = () => {
        const receiver = this.#current(to);
        if (receiver === null || body.kind !== 'call') return fail();
        const serve = async () => {
          const call = await receiver.runtime.answerCall({ sender, body });
          const reply = { sender, status: 'ok', reason: '', messages: [], call } as const;
          this.carry(to, asker.id, () => answer(reply), fail);
        };
        receiver.request('is called by', asker.id, () => receiver.track(serve()), fail);
      };
      this.carry(asker.id, to, arrive, fail);
      this.#world.after(this.#world.plan.electionTimeoutMs * 2, fail);
    });
  }

  #respond(responder: Instance, asker: Instance, replies: readonly Message[]): void {
    if (!responder.alive || replies.length === 0) return;
    const sent = this.#asSent(replies);
    responder.observeSending(sent);
    this.#world.note(responder.name, 'answers', sent);
    const arrive = () => {
      if (!this.#mayMeet(responder, asker)) return;
      asker.step('is answered', sent, () => {
        this.#hears(asker, sent);
        asker.node.receiveReplies(sent);
      });
    };
    const fail = () =>
      asker.step('has no answer', responder.id, () => {
        this.#world.coverage.add('responsesLost');
        asker.node.unreachable(responder.id, true);
      });
    const extraMs = this.#extraMs(responder.id, asker.id, sent);
    this.carry(responder.id, asker.id, arrive, fail, extraMs);
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

  #hears(receiver: Instance, messages: readonly Message[]): void {
    this.#observer.receiving(receiver, messages);
    const known = this.#epochs.get(receiver) ?? new Map<MemberId, number>();
    for (const { from, epoch } of messages) known.set(from, Math.max(known.get(from) ?? 0, epoch));
    this.#epochs.set(receiver, known);
  }

  /**
   * An instance that the platform fails to fence reaches only those who have heard of its
   * successor. To others it could lie whatever they do: epochs do not help against that.
   */
  #mayMeet(sender: Instance, receiver: Instance): boolean {
    if (!sender.unfenced) return true;
    const known = this.#epochs.get(receiver)?.get(sender.id) ?? 0;
    if (known <= sender.epoch) return false;
    this.#world.coverage.add('messagesOfUnfencedZombies');
    return true;
  }

  /**
   * As members of today refuse those of yesterday; but for a leader that has removed itself and
   * has to see that through.
   */
  #isRemoved(sender: Instance, receiver: Instance): boolean {
    if (this.#world.plan.profile !== 'membership') return false;
    const { machine, soft } = receiver.node;
    return soft.leader !== sender.id && machine.membership.isRemoved(BigInt(`0x${sender.id}`));
  }

  /** A voter who runs knows that the member was removed: what a learner knows elects nobody. */
  isKnownRemoved(id: MemberId): boolean {
    return this.#all().some((member) => mayTell(member, id));
  }

  /** What it is told makes its server stop it. */
  #tellRemoved(sender: Instance): void {
    this.#world.coverage.add('removedMembersRefused');
    this.#world.after(this.#latencyMs(), () => this.#find(sender.id)?.retire());
  }

  #find(id: MemberId): Member | null {
    return this.#all().find((member) => member.id === id) ?? null;
  }

  /** A socket stays with the instance that took it, as long as that runs. */
  #reached(id: MemberId): Instance | null {
    const { plan, prng } = this.#world;
    const zombie = this.#find(id)?.zombies.find(({ unfenced }) => !unfenced);
    if (!plan.oldSockets || zombie === undefined || chance(prng, 0.5)) return this.#current(id);
    return zombie;
  }

  #overOldSocket(
    receiver: Instance,
    messages: readonly Message[],
    receive: () => void,
    fail: () => void,
  ): void {
    this.#world.coverage.add('messagesToSuperseded');
    receiver.step('still receives', messages, receive);
    // With the instance its sockets are gone.
    if (!receiver.alive) this.#world.after(this.#latencyMs(), fail);
  }

  #current(id: MemberId): Instance | null {
    return this.#find(id)?.current ?? null;
  }

  #extraMs(from: MemberId, to: MemberId, messages: readonly Message[]): number {
    const { slow } = this;
    if (slow === null || (slow.member !== from && slow.member !== to)) return 0;
    if (!messages.some(({ type }) => slow.kinds.has(type))) return 0;
    this.#world.coverage.add('messagesOfSlowKinds');
    return slow.delayMs * this.#world.prng.next();
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

/**
 * The member runs, votes, and knows that the other does not any more: after a restart, too. Whoever
 * has been told is gone, and could not help one that has forgotten it.
 */
function mayTell(member: Member | null, removed: MemberId): boolean {
  if (member === null || member.current === null) return false;
  const { voters } = member.current.node.status.raft.confState;
  if (!voters.includes(member.id)) return false;
  return membersIn(member.durable).isRemoved(BigInt(`0x${removed}`));
}
