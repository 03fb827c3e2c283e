import type { Message } from '../../src/raft/message.ts';
import { kindOf, numberOf } from './print.ts';

/**
 * A message under way. Links keep order; a script may deliver, hold, repeat or lose any of them.
 */
export interface Packet {
  readonly message: Message;
  readonly from: number;
  readonly to: number;
}

/** `2->1 appendReply`: who to whom (`*`: anyone), and which kinds (none: all). */
export interface PacketFilter {
  readonly from: number | null;
  readonly to: number | null;
  readonly kinds: readonly string[];
  /** At most so many, the oldest; null: all. */
  readonly count: number | null;
}

/** The messages in flight and the state of the links. Nothing moves unless the script says so. */
export class Network {
  #queue: Packet[] = [];
  #held: Packet[] = [];
  #holds: PacketFilter[] = [];
  readonly #cut = new Set<string>();

  get queue(): readonly Packet[] {
    return this.#queue;
  }

  send(message: Message): void {
    const packet = { message, from: numberOf(message.from), to: numberOf(message.to) };
    const held = this.#holds.some((filter) => matches(filter, packet));
    (held ? this.#held : this.#queue).push(packet);
  }

  /** Takes out what matches, in order; not what is for a member that is to be skipped. */
  take(filter: PacketFilter, skip: (to: number) => boolean = () => false): Packet[] {
    const taken: Packet[] = [];
    const left: Packet[] = [];
    for (const packet of this.#queue) {
      const enough = filter.count !== null && taken.length >= filter.count;
      (!enough && matches(filter, packet) && !skip(packet.to) ? taken : left).push(packet);
    }
    this.#queue = left;
    return taken;
  }

  /** Sends what matches and is under way a second time. */
  duplicate(filter: PacketFilter): Packet[] {
    const copies = this.#queue.filter((packet) => matches(filter, packet));
    this.#queue.push(...copies);
    return copies;
  }

  /** Sets aside what matches and is under way now, until it is released. */
  delay(filter: PacketFilter): Packet[] {
    const delayed = this.take(filter);
    this.#held.push(...delayed);
    return delayed;
  }

  /** Sets aside what matches, under way or sent later, until it is released. */
  hold(filter: PacketFilter): void {
    this.delay(filter);
    this.#holds.push(filter);
  }

  /** Ends all holds; what was held is under way again, behind the rest. */
  release(): void {
    this.#holds = [];
    this.#queue.push(...this.#held);
    this.#held = [];
  }

  cut(from: number, to: number): void {
    this.#cut.add(`${from}->${to}`);
  }

  isCut({ from, to }: Packet): boolean {
    return this.#cut.has(`${from}->${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }
}

export const everything: PacketFilter = { from: null, to: null, kinds: [], count: null };

export function matches(filter: PacketFilter, packet: Packet): boolean {
  return (
    (filter.from === null || filter.from === packet.from) &&
    (filter.to === null || filter.to === packet.to) &&
    (filter.kinds.length === 0 || filter.kinds.includes(kindOf(packet.message)))
  );
}
