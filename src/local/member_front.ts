import { Bridge } from '../grpc/bridge.ts';
import { Endpoints } from '../grpc/endpoints.ts';
import { SessionUpstream } from '../grpc/session_upstream.ts';
import { Splicer } from '../grpc/splice.ts';
import { type MemberAddress, memberUrl } from './bindings.ts';
import { messageOf, StartError } from './error.ts';
import { HOST } from './ports.ts';
import { probeMember } from './probe.ts';

const probeTimeoutMs = 2_000;

/**
 * A member's client port, which speaks gRPC and HTTP as etcd's does: gRPC is bridged here, and
 * whatever else comes is passed to the member as it is.
 */
export class MemberFront {
  readonly #address: MemberAddress;
  readonly #bridge: Bridge;

  constructor(address: MemberAddress) {
    const url = memberUrl(address.peerPort);
    const splicer = new Splicer(HOST, address.peerPort);
    this.#address = address;
    this.#bridge = new Bridge({
      host: HOST,
      port: address.port,
      tls: null,
      upstream: new SessionUpstream(new Endpoints([url])),
      http1: (socket) => splicer.splice(socket),
      isHealthy: async () => (await probeMember(url, probeTimeoutMs)).state === 'ready',
    });
  }

  /** @throws StartError when the port cannot be had */
  async listen(): Promise<void> {
    try {
      await this.#bridge.listen();
    } catch (error) {
      throw new StartError(`${this.#address.name}: ${messageOf(error)}`);
    }
  }

  close(): void {
    this.#bridge.close();
  }
}
