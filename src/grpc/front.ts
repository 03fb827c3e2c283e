import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { bridgeLimits } from '../config/bridge.ts';

/** How every connection of HTTP/2 begins; no method of HTTP/1 begins with the first three. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n');
const TELLING_BYTES = 3;

/** Who speaks both, as curl, wants pages: clients of gRPC offer HTTP/2 alone. */
const PROTOCOLS = ['http/1.1', 'h2'];

export interface FrontOptions {
  readonly host: string;
  readonly port: number;
  /** null: connections are not encrypted. */
  readonly tls: TlsOptions | null;
  /** What a connection is given to. It has been paused, and nothing of it is lost. */
  http2(socket: Socket): void;
  http1(socket: Socket): void;
}

/**
 * One port for gRPC and HTTP, as etcd's: a connection's first bytes tell which it is.
 */
export class Front {
  readonly #options: FrontOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: FrontOptions) {
    this.#options = options;
    const accept = (socket: Socket): void => this.#accept(socket);
    const { tls } = options;
    this.#server =
      tls === null
        ? createServer({ noDelay: true, allowHalfOpen: true }, accept)
        : createTlsServer({ ...tls, ALPNProtocols: PROTOCOLS }, accept);
  }

  /** @throws Error when the port cannot be had */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** Takes no more, and lets go of those there are. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    socket.setTimeout(bridgeLimits.firstBytesMs, () => socket.destroy());
    let head: Buffer = Buffer.alloc(0);
    const telling = (): void => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      // What is put back is readable again at once: that is done when there is enough to tell.
      head = Buffer.concat([head, bytes]);
      const isPreface = PREFACE.subarray(0, head.length).equals(head.subarray(0, PREFACE.length));
      if (isPreface && head.length < TELLING_BYTES) return;
      socket.off('readable', telling);
      socket.unshift(head);
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      // HTTP/2 has no half-open connections: the client's end is the end.
      socket.allowHalfOpen = !isPreface;
      if (isPreface) this.#options.http2(socket);
      else this.#options.http1(socket);
    };
    socket.on('readable', telling);
  }
}
