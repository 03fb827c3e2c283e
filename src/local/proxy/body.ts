import type { IncomingMessage } from 'node:http';
import { proxyLimits } from '../../config/proxy.ts';
import { limits } from '../../config.ts';

/** Why a body is not taken. */
export type BodyFailure = 'too large' | 'too many' | 'gone';

/**
 * Reads bodies whole, because a request may have to be sent again, and bounds what all of them
 * together hold.
 */
export class Bodies {
  #heldBytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number = proxyLimits.bodiesBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** null: there is none. What was read counts until it is let go of. */
  async read(request: IncomingMessage): Promise<Buffer | BodyFailure | null> {
    const { headers } = request;
    const length = headers['content-length'];
    if (length === undefined && headers['transfer-encoding'] === undefined) return null;
    if (Number(length ?? 0) > limits.bodyBytesMax) return 'too large';
    const chunks: Buffer[] = [];
    let bytes = 0;
    let failure: BodyFailure | null = null;
    try {
      // One that is refused is answered: its connection is not to be destroyed by looking away.
      for await (const chunk of request.iterator({ destroyOnReturn: false })) {
        bytes += chunk.length;
        this.#heldBytes += chunk.length;
        if (bytes > limits.bodyBytesMax) failure = 'too large';
        else if (this.#heldBytes > this.#bytesMax) failure = 'too many';
        if (failure !== null) break;
        chunks.push(chunk);
      }
    } catch {
      failure = 'gone';
    }
    if (failure === null) return Buffer.concat(chunks, bytes);
    this.#heldBytes -= bytes;
    return failure;
  }

  letGo(body: Buffer | null): void {
    this.#heldBytes -= body?.length ?? 0;
  }
}
