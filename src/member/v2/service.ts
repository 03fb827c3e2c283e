import { EtcdError } from '../../api/error.ts';
import type { BasicCredentials, V2AdminRequest, V2Call } from '../../api/v2/call.ts';
import { V2Error } from '../../api/v2/error.ts';
import { isRefusal, type KeysRefusal, type KeysRequest } from '../../api/v2/keys_request.ts';
import type { SoftState } from '../../raft/output.ts';
import type { ApplyResult } from '../../state/result.ts';
import { V2Hub } from '../../watch/v2/hub.ts';
import { V2Auth } from './auth.ts';
import { V2Discovery } from './discovery.ts';
import { V2Expirer } from './expirer.ts';
import type { V2Host, V2Platform } from './host.ts';
import { V2Keys } from './keys.ts';
import { V2Logins } from './logins.ts';
import { V2Members } from './members.ts';
import { adminError, clusterHeader, denied, keysError, type V2Answer } from './reply.ts';
import { V2Stats } from './stats.ts';
import { StoreStats } from './store_stats.ts';
import { V2Waits } from './waits.ts';

/** etcd's v2 API at one member. */
export class V2Service {
  readonly keys: V2Keys;
  readonly waits: V2Waits;
  readonly expirer: V2Expirer;
  readonly hub: V2Hub;
  readonly #host: V2Host;
  readonly #logins: V2Logins;
  readonly #members: V2Members;
  readonly #auth: V2Auth;
  readonly #stats: V2Stats;
  readonly #discovery: V2Discovery;
  readonly #storeStats = new StoreStats();

  constructor(host: V2Host, platform: V2Platform) {
    this.#host = host;
    this.hub = new V2Hub({
      source: () => host.machine.v2,
      // History is state: what cannot be read there ends the member.
      soon: (callback) => platform.soon(() => host.node.guard(callback)),
      ...(platform.bugs ? { bugs: platform.bugs } : {}),
    });
    this.#logins = new V2Logins(host);
    this.keys = new V2Keys(host, this.#storeStats);
    this.#discovery = new V2Discovery(this.keys);
    this.waits = new V2Waits(host, this.hub, this.#logins);
    this.expirer = new V2Expirer(host);
    this.#members = new V2Members(host);
    this.#auth = new V2Auth(host, this.#logins);
    this.#stats = new V2Stats(host, platform, this.#storeStats, () => this.hub.count);
  }

  /** An entry was applied. To be called for each one, in order. */
  applied(result: ApplyResult): void {
    const name = result.command.request.case;
    if (name === undefined || !name.startsWith('v2')) return;
    this.#storeStats.applied(result);
    if (result.v2Changes === null) return;
    this.hub.applied(result.v2Changes);
    if (name === 'v2Change') this.expirer.attend();
    else if (name !== 'v2Expire') this.waits.recheck();
  }

  /** A snapshot has taken the place of the state. */
  restored(): void {
    this.hub.restored();
    this.waits.recheck();
  }

  softStateChanged(state: SoftState): void {
    this.#stats.softStateChanged(state);
    this.expirer.attend();
  }

  /** Any request but one that waits. Failures are answers. */
  async call(call: V2Call, credentials: BasicCredentials): Promise<V2Answer> {
    switch (call.kind) {
      case 'keys':
        return this.#callKeys(call.request, credentials);
      case 'discovery':
        return this.#aboutKeys(() => this.#discovery.serve(call.request));
      case 'members': {
        const serve = (request: V2AdminRequest) => this.#members.serve(request);
        return this.#admin(call.request, credentials, call.request.method === 'GET', serve);
      }
      case 'auth': {
        const { method, rest } = call.request;
        const isFree = method === 'GET' && rest === 'enable';
        const serve = (request: V2AdminRequest, user: string) => this.#auth.serve(request, user);
        return this.#admin(call.request, credentials, isFree, serve);
      }
      case 'peers':
        return this.#members.peers(call.origin);
      case 'machines':
      case 'stats':
        return this.#open(credentials, () =>
          call.kind === 'stats' ? this.#stats.serve(call.of) : this.#members.machines(),
        );
    }
  }

  async #callKeys(
    request: KeysRequest | KeysRefusal,
    credentials: BasicCredentials,
  ): Promise<V2Answer> {
    return this.#aboutKeys(async () => {
      if (isRefusal(request)) throw new V2Error(request.errorCode, request.cause, 0);
      return await this.keys.serve(request, await this.#logins.userOf(credentials));
    });
  }

  async #aboutKeys(serve: () => Promise<V2Answer>): Promise<V2Answer> {
    try {
      return await serve();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return keysError(error, this.#host.identity.clusterId);
    }
  }

  /** @param isFree everybody may, where everybody is served at all */
  async #admin(
    request: V2AdminRequest,
    credentials: BasicCredentials,
    isFree: boolean,
    serve: (request: V2AdminRequest, user: string) => Promise<V2Answer>,
  ): Promise<V2Answer> {
    try {
      if (isFree && this.#host.settings.auth.open) return await serve(request, '');
      const user = await this.#logins.userOf(credentials);
      if (!isFree && !this.#logins.accounts.mayAdministrate(user)) return denied();
      return await serve(request, user);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return adminError(error, clusterHeader(this.#host.identity.clusterId));
    }
  }

  /** What tells nobody's secrets, but nothing to everybody in a closed deployment. */
  async #open(credentials: BasicCredentials, serve: () => V2Answer): Promise<V2Answer> {
    try {
      if (!this.#host.settings.auth.open) await this.#logins.userOf(credentials);
      return serve();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return adminError(error, {});
    }
  }
}
