import type { CallContext } from '../api/call.ts';
import { Code, EtcdError } from '../api/error.ts';
import type { Method } from '../api/methods.ts';
import { isRead } from '../api/reads.ts';
import type { Answer } from '../api/session-answer.ts';
import type { SessionPath } from '../api/session-methods.ts';
import { bridgeLimits } from '../config/bridge.ts';
import type { Endpoints } from './endpoints.ts';
import { type Operation, SessionLink } from './session_link.ts';
import type { CallListener, Upstream, UpstreamCall } from './upstream.ts';

/**
 * A cluster behind its sessions: a few WebSockets for all calls that show the same token. Streams
 * that may bring much have one of their own, so that they can be held back.
 *
 * A few and not one: what travels in one frame is answered in one frame, and while all clients wait
 * for that the member has nothing to do.
 */
export class SessionUpstream implements Upstream {
  readonly #endpoints: Endpoints;
  readonly #shared = new Map<string, SessionLink[]>();
  readonly #links = new Set<SessionLink>();

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints;
  }

  open(method: Method, context: CallContext, listener: CallListener): UpstreamCall {
    const link = (): SessionLink =>
      HEAVY.has(method.path) ? this.#connect(context, null) : this.#sharedLink(context);
    return new SessionCall(method, context, listener, link, this.#endpoints.count);
  }

  close(): void {
    for (const link of this.#links) link.close();
  }

  #sharedLink(context: CallContext): SessionLink {
    const { token, requireLeader } = context;
    const name = `${requireLeader}${token === null ? '' : `=${token}`}`;
    const links = this.#shared.get(name) ?? [];
    let least = links[0];
    for (const link of links) {
      if (least === undefined || link.openCount < least.openCount) least = link;
    }
    const isEnough = least !== undefined && least.openCount < bridgeLimits.callsPerLink;
    if (least !== undefined && (isEnough || links.length === bridgeLimits.links)) return least;
    return this.#connect(context, name);
  }

  #connect({ token, requireLeader }: CallContext, name: string | null): SessionLink {
    const url = this.#endpoints.current;
    const link: SessionLink = new SessionLink(url, { token, requireLeader }, (wasOpen) => {
      this.#links.delete(link);
      if (name !== null) this.#unshare(name, link);
      if (!wasOpen) this.#endpoints.failed(url);
    });
    this.#links.add(link);
    if (name !== null) this.#shared.set(name, [...(this.#shared.get(name) ?? []), link]);
    return link;
  }

  #unshare(name: string, link: SessionLink): void {
    const left = (this.#shared.get(name) ?? []).filter((each) => each !== link);
    if (left.length > 0) this.#shared.set(name, left);
    else this.#shared.delete(name);
  }
}

/** Streams with a connection of their own. */
const HEAVY: ReadonlySet<string> = new Set(['/v3/watch', '/v3/maintenance/snapshot']);

/** One call, which may be begun anew where that is safe. */
class SessionCall implements UpstreamCall, Operation {
  readonly #method: Method;
  readonly #context: CallContext;
  readonly #listener: CallListener;
  readonly #connect: () => SessionLink;
  #triesLeft: number;
  #link: SessionLink | null = null;
  #id = 0;
  /** The request of a unary call, to be made again. */
  #request: Uint8Array | null = null;
  #over = false;

  constructor(
    method: Method,
    context: CallContext,
    listener: CallListener,
    connect: () => SessionLink,
    tries: number,
  ) {
    this.#method = method;
    this.#context = context;
    this.#listener = listener;
    this.#connect = connect;
    this.#triesLeft = tries;
  }

  send(bytes: Uint8Array): void {
    if (this.#over) return;
    if (this.#link !== null) return this.#link.more(this.#id, bytes);
    this.#request = bytes;
    this.#begin(bytes);
  }

  finish(): void {
    if (this.#over || this.#method.kind === 'unary') return;
    if (this.#link === null) this.#end(null);
    else this.#link.finish(this.#id);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#link?.cancel(this.#id);
    this.#leave();
  }

  pause(): void {
    if (HEAVY.has(this.#method.path)) this.#link?.pause();
  }

  resume(): void {
    if (HEAVY.has(this.#method.path)) this.#link?.resume();
  }

  answered({ response, more, failure }: Answer): void {
    if (this.#over) return;
    if (failure !== null) return this.#end(EtcdError.told(failure.code, failure.message));
    if (response !== null) this.#listener.message(response);
    if (!more) this.#end(null);
  }

  /**
   * Endpoints that cannot be reached are passed over. A request that may have been done is repeated
   * only where that changes nothing; of a stream the client knows where to go on.
   */
  lost(sent: boolean): void {
    if (this.#over) return;
    const request = this.#request;
    const isUnary = this.#method.kind === 'unary';
    const mayRepeat = !sent || (isUnary && isRead(this.#method.path));
    if (isUnary && mayRepeat && request !== null && --this.#triesLeft > 0) {
      return this.#begin(request);
    }
    this.#end(sent ? EtcdError.of('timeoutDueToConnectionLost') : unreachable());
  }

  #begin(bytes: Uint8Array): void {
    this.#link = this.#connect();
    // What has no number is no method of the gateway, and is not registered.
    const path = this.#method.path as SessionPath;
    this.#id = this.#link.begin(path, bytes, this.#context.timeoutMs ?? 0, this);
  }

  #end(error: EtcdError | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#leave();
    this.#listener.end(error);
  }

  #leave(): void {
    if (HEAVY.has(this.#method.path)) this.#link?.close();
  }
}

/** In grpc-go's words, by which etcd's clients know that a write may be repeated. */
function unreachable(): EtcdError {
  return new EtcdError(Code.unavailable, 'there is no connection available');
}
