import type { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import type { Origin } from './result.ts';

interface Last {
  epoch: number;
  sequence: number;
}

/**
 * The last command applied of each proposing member: a proposal that was sent twice, or that an
 * instance left behind by a restart sent late, takes effect at most once (Raft thesis §6.3).
 */
export class Origins {
  readonly #last = new Map<string, Last>();
  #newest = '';

  /** Who gave the command that was looked at last: most likely the next one, too. */
  get newest(): string {
    return this.#newest;
  }

  /** True, and remembered, when the command comes after all that were applied of its member. */
  accept({ memberId, epoch, sequence }: Origin): boolean {
    const last = this.#last.get(memberId);
    this.#newest = memberId;
    if (last === undefined) {
      this.#last.set(memberId, { epoch, sequence });
      return true;
    }
    if (epoch < last.epoch) return false;
    if (epoch === last.epoch && sequence <= last.sequence) return false;
    last.epoch = epoch;
    last.sequence = sequence;
    return true;
  }

  /** The last sequence applied of that instance of a member; 0 when there is none. */
  lastSequence(memberId: string, epoch: number): number {
    const last = this.#last.get(memberId);
    return last?.epoch === epoch ? last.sequence : 0;
  }

  /** In the order of ids, so that equal states are equal bytes. */
  write(writer: BinaryWriter): void {
    writer.varint(this.#last.size);
    for (const [memberId, { epoch, sequence }] of [...this.#last].sort(([a], [b]) =>
      a < b ? -1 : 1,
    )) {
      writer.text(memberId).varint(epoch).varint(sequence);
    }
  }

  static read(reader: BinaryReader): Origins {
    const origins = new Origins();
    for (let left = reader.varint(); left > 0; left--) {
      const memberId = reader.text();
      origins.accept({ memberId, epoch: reader.varint(), sequence: reader.varint() });
    }
    return origins;
  }
}
