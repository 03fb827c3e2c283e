import type { Socket } from 'node:net';
import { Bridge } from '../grpc/bridge.ts';
import { Endpoints } from '../grpc/endpoints.ts';
import { SessionUpstream } from '../grpc/session_upstream.ts';
import { Splicer } from '../grpc/splice.ts';
import { type MemberAddress, memberUrl } from './bindings.ts';
import { messageOf, StartError } from './error.ts';
import { HttpConnection } from './http/connection.ts';
import { SessionCalls } from './http/session_calls.ts';
import type { Listener } from './listen_url.ts';
import { HOST } from './ports.ts';
import { probeMember } from './probe.ts';

const probeTimeoutMs = 2_000;

/**
 * A member's client port, which speaks gRPC and HTTP as etcd's does: gRPC is bridged here, the
 * commonest calls over HTTP go by sessions, and whatever else comes is passed to the member as it
 * is.
 */
export class MemberFront {
  readonly #name: string;
  readonly #bridge: Bridge;
  readonly #calls: readonly SessionCalls[];

  /**
   * @param listener where clients connect to
   * @param memberPort where the member listens on this machine
   * @param environment the member's, which may have it look at every request itself
   */
  constructor(
    name: string,
    listener: Listener,
    memberPort: number,
    environment: Readonly<Record<string, string | undefined>>,
  ) {
    const url = memberUrl(memberPort);
    const splicer = new Splicer(HOST, memberPort);
    const [writes, reads] = [new SessionCalls(url), new SessionCalls(url)];
    const splice: Splicer['splice'] = (...connection) => splicer.splice(...connection);
    const ways = { writes, reads, splice };
    this.#name = name;
    this.#calls = [writes, reads];
    this.#bridge = new Bridge({
      ...listener,
      tls: null,
      upstream: new SessionUpstream(new Endpoints([url])),
      http1: looksAtEach(environment)
        ? splice
        : (socket: Socket) => void new HttpConnection(socket, ways),
      isHealthy: async () => (await probeMember(url, probeTimeoutMs)).state === 'ready',
    });
  }

  /** @throws StartError when the port cannot be had */
  async listen(): Promise<void> {
    try {
      await this.#bridge.listen();
    } catch (error) {
      throw new StartError(`${this.#name}: ${messageOf(error)}`);
    }
  }

  close(): void {
    this.#bridge.close();
    for (const calls of this.#calls) calls.close();
  }
}

/** Of a member whose own port is not that of its clients. */
export function frontsOf(
  { name, port, peerPort }: MemberAddress,
  environment: Readonly<Record<string, string | undefined>>,
): MemberFront[] {
  if (port === peerPort) return [];
  return [new MemberFront(name, { host: HOST, port }, peerPort, environment)];
}

/** Whether the gateway does more with a request than what its method says. */
function looksAtEach(environment: Readonly<Record<string, string | undefined>>): boolean {
  const { ETCD_CORS: cors, ETCD_HOST_WHITELIST: hosts, EDGETCD_ACCESS_LOG: log } = environment;
  const isEvery = (list: string | undefined): boolean => !list || list === '*';
  return !isEvery(cors) || !isEvery(hosts) || !(!log || log === 'off' || log === 'errors');
}
