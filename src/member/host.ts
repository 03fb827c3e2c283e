import type { MemberDisk } from '../storage/member_disk.ts';
import type { PeerLinks } from '../transport/peer_links.ts';

export type { LoadedLog, MemberDisk } from '../storage/member_disk.ts';
export type { PeerLinks, SnapshotSource } from '../transport/peer_links.ts';

/** The world around a member: real in the Durable Object, simulated in test/sim. */
export interface NodeHost {
  readonly disk: MemberDisk;
  readonly links: PeerLinks;
  /** Milliseconds, never going back within an instance. */
  nowMs(): number;
  /** Milliseconds since 1970, for what is recorded in entries. */
  wallClockMs(): number;
  /** Calls node.tick() at that time (of nowMs), replacing an earlier wish; null: not at all. */
  setAlarm(atMs: number | null): void;
  /** Calls back at the end of the current event, before anything else happens. */
  soon(callback: () => void): void;
  /** Calls back in an event of its own, after those that have arrived: the batching point. */
  defer(callback: () => void): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  /**
   * The member cannot go on (a broken invariant, a failed write): it stops serving and is restarted
   * from rows.
   */
  fatal(error: Error): void;
}
