import type { UnaryMethods } from '../api/gen/messages.ts';
import { Auth } from './auth.ts';
import { Calls } from './calls.ts';
import type { Channel, Fetcher, Init, UnaryPath } from './channel.ts';
import { Cluster } from './cluster.ts';
import { HttpChannel } from './http_channel.ts';
import { KeySpace } from './key_space.ts';
import { Maintenance } from './maintenance.ts';
import { Namespace } from './namespace.ts';
import type { CallOptions, EtcdOptions } from './options.ts';
import { SessionChannel } from './session_channel.ts';
import { openPlatformSocket, socketOpenerOf } from './socket.ts';
import { Tokens } from './tokens.ts';

/** Requests through a binding need an address, whatever it is. */
const BINDING_URL = 'http://etcd';

const TIMEOUT_MS = 10_000;

/**
 * A client of edgetcd, or of any etcd behind its JSON gateway. It has no connections before they
 * are needed, and may be made for each request of a Worker.
 */
export class Etcd extends Namespace {
  /** Users and roles. */
  readonly auth: Auth;
  /** Members. */
  readonly cluster: Cluster;
  /** What operators do. */
  readonly maintenance: Maintenance;
  readonly #calls: Calls;

  constructor(options: EtcdOptions) {
    const { auth = null, timeoutMs = TIMEOUT_MS, requireLeader = false } = options;
    const settings = { timeoutMs, requireLeader };
    const calls = new Calls(channelsOf(options), new Tokens(auth), settings);
    super(calls, new KeySpace(new Uint8Array(0)));
    this.#calls = calls;
    this.auth = new Auth(calls);
    this.cluster = new Cluster(calls);
    this.maintenance = new Maintenance(calls);
  }

  /** The keys: the same methods as the client's own. */
  get kv(): Namespace {
    return this;
  }

  /** Any method of etcd's v3 API with its own messages. @throws EtcdError */
  call<P extends UnaryPath>(
    path: P,
    request: Init<UnaryMethods[P]['request']>,
    options?: CallOptions,
  ): Promise<UnaryMethods[P]['response']> {
    return this.#calls.unary(path, request, options);
  }

  /** Ends everything that is under way, and all connections. Leases end by themselves. */
  close(): void {
    this.#calls.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function channelsOf(options: EtcdOptions): Channel[] {
  const { endpoints = [], binding } = options;
  const urls = typeof endpoints === 'string' ? [endpoints] : endpoints;
  if (urls.length > 0 === (binding !== undefined)) {
    throw new TypeError('a client needs either endpoints or a binding');
  }
  if (binding) return [channelOf(BINDING_URL, options)];
  return urls.map((url) => channelOf(url.replace(/\/+$/, ''), options));
}

function channelOf(url: string, { transport, binding, fetch, webSocket }: EtcdOptions): Channel {
  if (transport === 'session') {
    // A binding takes the address of a request; a WebSocket wants its own scheme.
    if (binding) return new SessionChannel(url, webSocket ?? socketOpenerOf(binding));
    return new SessionChannel(url.replace(/^http/, 'ws'), webSocket ?? openPlatformSocket);
  }
  // Called as a function: the platform's own is particular about what it is a method of.
  const fetcher: Fetcher = binding ?? {
    fetch: (input, init) => (fetch ? fetch(input, init) : globalThis.fetch(input, init)),
  };
  return new HttpChannel(url, fetcher);
}
