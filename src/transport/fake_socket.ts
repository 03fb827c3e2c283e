/** One end of a WebSocket in memory. What it sends is kept, and reaches the other end, if any. */
export class FakeSocket extends EventTarget {
  binaryType = 'blob';
  readyState = 1;
  accepted = false;
  /** Set: sending fails with it. */
  broken: Error | null = null;
  readonly sent: Uint8Array[] = [];
  #other: FakeSocket | null = null;

  /** Two ends of one connection. */
  static pair(): [FakeSocket, FakeSocket] {
    const [a, b] = [new FakeSocket(), new FakeSocket()];
    a.#other = b;
    b.#other = a;
    return [a, b];
  }

  get open(): boolean {
    return this.readyState === 1;
  }

  /** As the code under test sees it: only what it uses is there. */
  get socket(): WebSocket {
    return this as unknown as WebSocket;
  }

  accept(): void {
    this.accepted = true;
  }

  send(message: Uint8Array): void {
    if (this.broken !== null) throw this.broken;
    if (!this.open) throw new TypeError('the socket is closed');
    this.sent.push(message.slice());
    const other = this.#other;
    if (other) queueMicrotask(() => other.deliver(message.slice().buffer as ArrayBuffer));
  }

  /** A message arrives at this end. */
  deliver(data: string | ArrayBuffer): void {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }

  close(): void {
    if (!this.open) return;
    this.readyState = 3;
    this.dispatchEvent(new Event('close'));
    this.#other?.close();
  }
}
