import { EtcdError } from '../../api/error.ts';
import type { Answer } from '../../api/session-answer.ts';
import type { SessionPath } from '../../api/session-methods.ts';
import { httpLimits } from '../../config/http.ts';
import { type Operation, SessionLink } from '../../grpc/session_link.ts';
import { EMPTY_BYTES } from '../../lib/bytes.ts';

const NOBODY = { token: null, requireLeader: false } as const;

/** Who waits for a call. One of the three is called, once. */
export interface CallListener {
  answered(response: Uint8Array): void;
  failed(error: EtcdError): void;
  /** It has not reached the member: it may be made another way. */
  unsent(): void;
}

interface WaitingCall {
  readonly path: SessionPath;
  readonly request: Uint8Array;
  readonly listener: CallListener;
}

/**
 * Calls of many clients to one member, by a few sessions (docs/PROTOCOL.md) that are always open:
 * what is called in one turn of the event loop leaves in one frame. A call never waits long for a
 * connection.
 */
export class SessionCalls {
  readonly #url: string;
  /** Those that the member has let in. */
  readonly #links: SessionLink[] = [];
  #opening: SessionLink | null = null;
  #waiting: WaitingCall[] = [];
  #patience: NodeJS.Timeout | null = null;
  /** No attempt before this. */
  #retryMs = 0;

  constructor(url: string) {
    this.#url = url;
  }

  call(path: SessionPath, request: Uint8Array, listener: CallListener): void {
    const link = this.#leastBusy();
    if (link !== null) {
      if (link.openCount >= httpLimits.callsPerLink) this.#openAnother();
      link.begin(path, request, 0, new Call(listener));
      return;
    }
    this.#openAnother();
    if (this.#opening === null || this.#waiting.length >= httpLimits.waitingMax) {
      return listener.unsent();
    }
    this.#waiting.push({ path, request, listener });
    this.#patience ??= setTimeout(() => this.#giveUp(), httpLimits.connectMs);
  }

  close(): void {
    this.#retryMs = Number.POSITIVE_INFINITY;
    this.#opening?.close();
    for (const link of [...this.#links]) link.close();
  }

  #leastBusy(): SessionLink | null {
    let least: SessionLink | null = null;
    for (const link of this.#links) {
      if (least === null || link.openCount < least.openCount) least = link;
    }
    return least;
  }

  #openAnother(): void {
    const isEnough = this.#links.length >= httpLimits.links;
    if (isEnough || this.#opening !== null || Date.now() < this.#retryMs) return;
    const link: SessionLink = new SessionLink(
      this.#url,
      NOBODY,
      () => this.#ended(link),
      () => this.#welcomed(link),
    );
    this.#opening = link;
  }

  #welcomed(link: SessionLink): void {
    this.#opening = null;
    this.#links.push(link);
    for (const { path, request, listener } of this.#takeWaiting()) {
      link.begin(path, request, 0, new Call(listener));
    }
  }

  #ended(link: SessionLink): void {
    const at = this.#links.indexOf(link);
    if (at >= 0) this.#links.splice(at, 1);
    if (this.#opening !== link) return;
    this.#opening = null;
    this.#retryMs = Math.max(this.#retryMs, Date.now() + httpLimits.retryMs);
    this.#giveUp();
  }

  #giveUp(): void {
    for (const { listener } of this.#takeWaiting()) listener.unsent();
  }

  #takeWaiting(): WaitingCall[] {
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}

/** One that is under way. */
class Call implements Operation {
  readonly #listener: CallListener;

  constructor(listener: CallListener) {
    this.#listener = listener;
  }

  answered({ response, failure }: Answer): void {
    if (failure === null) this.#listener.answered(response ?? EMPTY_BYTES);
    else this.#listener.failed(EtcdError.told(failure.code, failure.message));
  }

  lost(sent: boolean): void {
    if (sent) this.#listener.failed(EtcdError.of('timeoutDueToConnectionLost'));
    else this.#listener.unsent();
  }
}
