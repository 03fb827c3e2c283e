import { EtcdError } from '../../api/error.ts';
import type { KeysWait } from '../../api/v2/call.ts';
import { insufficientCredentials } from '../../api/v2/denied.ts';
import { encodeV2Event } from '../../api/v2/event.ts';
import type { KeysRequest } from '../../api/v2/keys_request.ts';
import { limits } from '../../config.ts';
import type { PastEvent } from '../../state/v2/history.ts';
import type { V2Hub } from '../../watch/v2/hub.ts';
import { DISCOVERY_USER } from './discovery.ts';
import type { V2Host } from './host.ts';
import { checkReadable, indexHeaders, shownToClients, treePath } from './keys.ts';
import type { V2Logins } from './logins.ts';
import { clusterHeader, keysError, type V2Answer } from './reply.ts';

/** How an answer whose head comes first, and whose body comes later, is sent. */
export interface V2Outlet {
  readonly bufferedBytes: number;
  /** The head: status 200. */
  begin(headers: Readonly<Record<string, string>>): void;
  write(text: string): void;
  /** A whole answer instead. */
  answer(answer: V2Answer): void;
  end(): void;
  /** Breaks it off, so that its client asks again. */
  break(reason: string): void;
}

interface Wait {
  readonly outlet: V2Outlet;
  readonly request: KeysRequest;
  readonly user: string;
  readonly byToken: boolean;
  cancel: () => void;
}

/**
 * Requests that wait for events. A head is sent at once, as in etcd, whose clients take from it the
 * index from which they wait.
 */
export class V2Waits {
  readonly #host: V2Host;
  readonly #hub: V2Hub;
  readonly #logins: V2Logins;
  readonly #open = new Set<Wait>();
  #byToken = 0;

  constructor(host: V2Host, hub: V2Hub, logins: V2Logins) {
    this.#host = host;
    this.#hub = hub;
    this.#logins = logins;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @returns what to call when the client is gone */
  async open({ request, credentials, byToken }: KeysWait, outlet: V2Outlet): Promise<() => void> {
    try {
      const user = byToken ? DISCOVERY_USER : await this.#logins.userOf(credentials);
      const wait: Wait = { outlet, request, user, byToken: byToken === true, cancel: () => {} };
      this.#begin(wait);
      return () => this.#close(wait);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      outlet.answer(keysError(error, this.#host.identity.clusterId));
      return () => {};
    }
  }

  /** Users, roles or permissions have changed. */
  recheck(): void {
    for (const wait of [...this.#open]) {
      const { request, user, outlet } = wait;
      if (this.#mayRead(request, user)) continue;
      this.#close(wait);
      outlet.break(insufficientCredentials().reason);
    }
  }

  /** @throws EtcdError before anything is sent */
  #begin(wait: Wait): void {
    const { request, user, outlet, byToken } = wait;
    const { machine, identity, node } = this.#host;
    // Strangers who wait for each other leave room for everybody else.
    const isFull = this.#open.size >= limits.v2WaitsMax;
    if (isFull || (byToken && this.#byToken >= limits.discoveryWaitsMax)) {
      throw EtcdError.of('tooManyRequests');
    }
    const { path, recursive, stream, waitIndex } = request;
    checkReadable(machine.v2, user, path, recursive);
    const past: PastEvent[] = [];
    let isOpen = false;
    const spec = { path: treePath(path), recursive, stream, fromIndex: waitIndex };
    wait.cancel = this.#hub.watch(spec, {
      event: (event) => (isOpen ? this.#tell(wait, event) : past.push(event)),
      lost: () => {
        this.#close(wait);
        outlet.break('events were missed');
      },
    });
    isOpen = true;
    this.#open.add(wait);
    if (byToken) this.#byToken++;
    outlet.begin({
      ...clusterHeader(identity.clusterId),
      ...indexHeaders(machine.v2.index, machine.appliedIndex, node.soft.term),
      'Content-Type': 'application/json',
    });
    for (const event of past) this.#tell(wait, event);
  }

  #tell(wait: Wait, event: PastEvent): void {
    const { outlet, request } = wait;
    if (!this.#open.has(wait)) return;
    outlet.write(encodeV2Event(shownToClients(event)));
    if (!request.stream) {
      this.#close(wait);
      outlet.end();
    } else if (outlet.bufferedBytes > limits.v2WaitBufferBytesMax) {
      this.#close(wait);
      outlet.break('the client does not read');
    }
  }

  #close(wait: Wait): void {
    if (!this.#open.delete(wait)) return;
    if (wait.byToken) this.#byToken--;
    wait.cancel();
  }

  #mayRead({ path, recursive }: KeysRequest, user: string): boolean {
    try {
      checkReadable(this.#host.machine.v2, user, path, recursive);
      return true;
    } catch {
      return false;
    }
  }
}
