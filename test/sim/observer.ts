import type { MemberId, Message } from '../../src/raft/message.ts';
import type { PersistBatch } from '../../src/raft/output.ts';
import type { ApplyResult } from '../../src/state/result.ts';
import type { DiskChange, DiskImage } from './disk_image.ts';
import type { Instance } from './instance.ts';

/** What checkers are told. Every call may throw a Violation. */
export interface Observer {
  /** An instance was built from the rows in its image and has not run yet. */
  started(instance: Instance): void;
  /** The instance has worked off one event. */
  stepped(instance: Instance): void;
  /**
   * The instance is killed in the middle of a step: what it has sent speaks of what it has
   * committed.
   */
  dying(instance: Instance): void;
  /** The instance is about to write the batch to its live image. */
  writing(instance: Instance, batch: PersistBatch): void;
  /** The changes are part of the member's durable image now. */
  durable(id: MemberId, image: DiskImage, changes: readonly DiskChange[]): void;
  /** The messages leave the instance. */
  sending(instance: Instance, messages: readonly Message[]): void;
  /** The messages are handed to the instance. */
  receiving(instance: Instance, messages: readonly Message[]): void;
  /** The instance's state machine has applied a command. */
  applied(instance: Instance, result: ApplyResult): void;
}
