import type { Welcome } from '../../api/session-answer.ts';
import { limits } from '../../config.ts';
import type { Streams } from '../streams/streams.ts';
import type { Calls } from './calls.ts';

/** A session as the others of its member see it. */
export interface Bounded {
  /** Sent, and not taken in by the client. */
  readonly unreadBytes: number;
  cutOff(): void;
}

/** What the sessions of a running member share: its services, and the memory for their answers. */
export class Sessions {
  readonly calls: Pick<Calls, 'begin'>;
  readonly streams: Streams;
  /** Who answers, as of now. */
  readonly identity: () => Omit<Welcome, 'version'>;
  readonly #open = new Set<Bounded>();
  #unreadBytes = 0;

  constructor(
    calls: Pick<Calls, 'begin'>,
    streams: Streams,
    identity: () => Omit<Welcome, 'version'>,
  ) {
    this.calls = calls;
    this.streams = streams;
    this.identity = identity;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @returns false when there are too many */
  add(session: Bounded): boolean {
    if (this.#open.size >= limits.sessionsMax) return false;
    this.#open.add(session);
    this.#unreadBytes += session.unreadBytes;
    return true;
  }

  delete(session: Bounded): void {
    if (this.#open.delete(session)) this.#unreadBytes -= session.unreadBytes;
  }

  /** A session has so many unread bytes more, or less. Who is too far behind is cut off. */
  unread(session: Bounded, bytes: number): void {
    this.#unreadBytes += bytes;
    if (bytes <= 0) return;
    if (session.unreadBytes > limits.sessionUnreadBytesMax) return session.cutOff();
    if (this.#unreadBytes <= limits.sessionsUnreadBytesMax) return;
    let furthest = session;
    for (const each of this.#open) if (each.unreadBytes > furthest.unreadBytes) furthest = each;
    furthest.cutOff();
  }
}
