import type { AppendReply, MemberId, Message } from '../../../src/raft/message.ts';
import type { DiskImage } from '../disk_image.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';
import type { ElectionChecker } from './elections.ts';

/** L9: nothing is said that the disk does not know. */
export class DurabilityChecker {
  readonly #images: ReadonlyMap<MemberId, DiskImage>;
  readonly #elections: ElectionChecker;

  constructor(images: ReadonlyMap<MemberId, DiskImage>, elections: ElectionChecker) {
    this.#images = images;
    this.#elections = elections;
  }

  /** The messages leave the instance now. */
  sending(instance: Instance, messages: readonly Message[]): void {
    // The platform lies to it: it cannot know better, and nobody may believe it.
    if (instance.unfenced) return;
    for (const message of messages) this.#check(instance, message);
  }

  #check(instance: Instance, message: Message): void {
    const { from, to, term } = message;
    const image = this.#images.get(from);
    if (image === undefined) return;
    const known = image.epoch >= message.epoch;
    holds(
      known,
      'L9',
      () => `${instance.name} speaks as epoch ${message.epoch} before its disk knows it`,
    );
    if (message.type === 'vote' && !message.pre) {
      this.#elections.votes(from, term, from);
      const durable = this.#elections.isVoteSafe(from, term, from);
      holds(
        durable,
        'L9',
        () => `${instance.name} asks for votes in term ${term} before its own is durable`,
      );
    } else if (message.type === 'voteReply' && message.granted && !message.pre) {
      this.#elections.votes(from, term, to);
      const durable = this.#elections.isVoteSafe(from, term, to);
      holds(
        durable,
        'L9',
        () => `${instance.name} votes for ${to} in term ${term} before that is durable`,
      );
    } else if (message.type === 'appendReply' && message.accepted) {
      const durable =
        this.#elections.durableTerm(from) >= term && holdsLog(instance, image, message);
      holds(durable, 'L9', () => {
        return `${instance.name} acknowledges ${message.index} in term ${term}, durable are ${image.lastIndex} and term ${this.#elections.durableTerm(from)}`;
      });
    }
  }
}

/**
 * The durable log holds what the instance's has up to the index; or it ends in a later term,
 * because the instance took the entries and what replaced them in one turn, and the disk got the
 * outcome.
 */
function holdsLog(instance: Instance, image: DiskImage, { index, term }: AppendReply): boolean {
  if (index <= image.snapshot.index) return true;
  if ((image.termAt(image.lastIndex) ?? 0) > term) return true;
  if (index > image.lastIndex) return false;
  const { live } = instance.disk;
  // Beyond its end, what it ends in counts: a later leader has cut it off there.
  const inMemory = live.termAt(Math.min(index, live.lastIndex)) ?? 0;
  // Replaced since in memory, by a later leader: that is on its way to the disk, after this.
  return inMemory > term || index <= live.snapshot.index || inMemory === image.termAt(index);
}
