/** As much of the package as is used: it brings no types of its own. */
declare module 'ws' {
  export default class WebSocket {
    constructor(url: string, options?: WebSocketOptions);
    binaryType: string;
    send(data: Uint8Array | string): void;
    close(code?: number, reason?: string): void;
    terminate(): void;
    on(event: 'open', listener: () => void): this;
    on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
    on(event: 'close', listener: (code: number, reason: Buffer) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  interface WebSocketOptions {
    readonly perMessageDeflate?: boolean;
    /** What a client's frames are masked with: nothing at all costs nothing. */
    readonly generateMask?: (mask: Buffer) => void;
  }
}
