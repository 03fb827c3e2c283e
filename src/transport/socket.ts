import type { LinkLimits, PeerLink } from './peer.ts';

/**
 * One long-lived WebSocket to a peer, for any number of exchanges at once: a message is a number
 * that names the exchange, then the frame. It costs a third of a fetch for each exchange, and the
 * platform bills twenty messages as one request.
 *
 * A peer's object may be replaced at any time, so the socket is nothing to rely on: without one an
 * exchange goes its own way (`fallback`) and the next socket is opened beside it. One that was not
 * used for a while is closed, because an open one keeps both objects from sleeping.
 */
export class SocketLink implements PeerLink {
  readonly #open: () => Promise<WebSocket>;
  readonly #fallback: PeerLink;
  readonly #timeoutMs: number;
  readonly #idleMs: number;
  readonly #after: LinkLimits['after'];
  readonly #pending = new Map<number, Exchange>();
  #socket: WebSocket | null = null;
  #opening = false;
  #lastId = 0;
  #used = false;
  #sweeping = false;
  /** Messages that have come: a sign of life. */
  #heard = 0;

  constructor(open: () => Promise<WebSocket>, fallback: PeerLink, limits: LinkLimits) {
    this.#open = open;
    this.#fallback = fallback;
    this.#timeoutMs = limits.timeoutMs;
    this.#idleMs = limits.idleMs;
    this.#after = limits.after;
  }

  exchange(body: Uint8Array): Promise<Uint8Array> {
    this.#used = true;
    const socket = this.#socket;
    if (socket === null) {
      this.#connect();
      return this.#fallback.exchange(body);
    }
    const id = (this.#lastId + 1) >>> 0;
    this.#lastId = id;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, heardBefore: this.#heard, sweeps: 0 });
      this.#sweepLater();
      try {
        socket.send(encodeMessage(id, body));
      } catch {
        this.#closed(socket);
      }
    });
  }

  /**
   * Exchanges that are late are found by one timer for all of them: two sweeps after it was begun
   * an exchange has waited between one and two of the periods. A timer for each would cost as much
   * as the exchange.
   */
  #sweepLater(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#after(() => {
      this.#sweeping = false;
      let dead = false;
      for (const [id, exchange] of this.#pending) {
        if (++exchange.sweeps <= 1) continue;
        this.#settle(id, LATE);
        dead ||= exchange.heardBefore === this.#heard;
      }
      // Not a word in all that time: a connection whose other end vanished (a power cut, a
      // forgotten address translation) stays open here for many minutes.
      if (dead && this.#socket) this.#closed(this.#socket);
      if (this.#pending.size > 0) this.#sweepLater();
    }, this.#timeoutMs / 2);
  }

  #connect(): void {
    if (this.#opening) return;
    this.#opening = true;
    this.#open().then(
      (socket) => this.#opened(socket),
      () => {
        // The exchanges meanwhile report by their own way what is wrong.
        this.#after(() => {
          this.#opening = false;
        }, this.#timeoutMs / 2);
      },
    );
  }

  #opened(socket: WebSocket): void {
    this.#opening = false;
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      const message = decodeMessage(data);
      if (message === null) return this.#closed(socket);
      this.#heard++;
      this.#settle(message.id, message.body);
    });
    socket.addEventListener('close', () => this.#closed(socket));
    socket.addEventListener('error', () => this.#closed(socket));
    this.#watchIdle(socket);
  }

  #watchIdle(socket: WebSocket): void {
    this.#used = false;
    this.#after(() => {
      if (this.#socket !== socket) return;
      if (this.#used || this.#pending.size > 0) return this.#watchIdle(socket);
      this.#closed(socket);
    }, this.#idleMs);
  }

  #closed(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    try {
      socket.close();
    } catch {
      // Closed by the other side already.
    }
    for (const id of [...this.#pending.keys()]) this.#settle(id, LOST);
  }

  #settle(id: number, outcome: Uint8Array | Error): void {
    const exchange = this.#pending.get(id);
    if (!exchange) return; // Came after its time.
    this.#pending.delete(id);
    if (outcome instanceof Error) exchange.reject(outcome);
    else exchange.resolve(outcome);
  }
}

interface Exchange {
  readonly resolve: (body: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  readonly heardBefore: number;
  sweeps: number;
}

const LATE = new Error('the peer did not answer in time');
const LOST = new Error('the connection to the peer was lost');
const ID_BYTES = 4;

/** The other end: every message is a request, answered under its number. */
export function serveSocket(
  socket: WebSocket,
  answer: (body: Uint8Array) => Promise<Uint8Array>,
): void {
  socket.binaryType = 'arraybuffer';
  socket.accept();
  socket.addEventListener('message', ({ data }) => {
    const message = decodeMessage(data);
    if (message === null) return socket.close(1002, 'not a message of the peer protocol');
    answer(message.body).then(
      (body) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(encodeMessage(message.id, body));
      },
      // The member cannot even read its database: the peer must not wait for it.
      () => socket.close(1011, 'the member failed'),
    );
  });
}

/** The number comes first, big-endian. By hand: a DataView is dear to make. */
function encodeMessage(id: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(ID_BYTES + body.length);
  message[0] = id >>> 24;
  message[1] = id >>> 16;
  message[2] = id >>> 8;
  message[3] = id;
  message.set(body, ID_BYTES);
  return message;
}

function decodeMessage(data: unknown): { id: number; body: Uint8Array } | null {
  if (!(data instanceof ArrayBuffer) || data.byteLength < ID_BYTES) return null;
  const bytes = new Uint8Array(data);
  let id = 0;
  for (let i = 0; i < ID_BYTES; i++) id = ((id << 8) | (bytes[i] as number)) >>> 0;
  return { id, body: bytes.subarray(ID_BYTES) };
}
