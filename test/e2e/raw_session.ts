import { once } from 'node:events';
import WebSocket from 'ws';
import { decodeServerFrame } from '../../src/api/session-answer.ts';
import { methodNumber, type SessionPath } from '../../src/api/session-methods.ts';
import { ClientFrameWriter, type Operation } from '../../src/api/session-request.ts';
import { encodeBinary } from '../../src/client/binary.ts';
import { type Fields, requestSchema } from '../../src/client/schema.ts';
import { eventually } from './cluster.ts';

/** A WebSocket as anybody may open it, and everything that comes on it. */
export class RawSession {
  readonly socket: WebSocket;
  readonly answers: string[] = [];
  closed: string | null = null;

  constructor(url: string) {
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on('message', (data, isBinary) => this.#received(data as Buffer, isBinary));
    this.socket.on('close', (code, reason) => {
      this.closed = `${code} ${reason}`;
    });
  }

  static async open(url: string): Promise<RawSession> {
    const session = new RawSession(url);
    await once(session.socket as unknown as NodeJS.EventEmitter, 'open');
    return session;
  }

  send(data: Uint8Array | string): void {
    this.socket.send(data);
  }

  async closing(): Promise<string> {
    await eventually('the session is closed', 20_000, () => this.closed !== null);
    return String(this.closed);
  }

  #received(data: Buffer, isBinary: boolean): void {
    if (!isBinary) return void this.answers.push(data.toString());
    const { welcome, answers } = decodeServerFrame(data);
    if (welcome !== null) this.answers.push(`welcome ${welcome.version}`);
    for (const { id, failure } of answers) this.answers.push(`${id} ${failure?.message ?? 'ok'}`);
  }
}

/** A frame that begins with a hello. */
export function hello(version = 1): ClientFrameWriter {
  const writer = new ClientFrameWriter();
  writer.hello({ version, token: null, requireLeader: false });
  return writer;
}

/** A call, or a stream that begins. */
export function operation(id: number, path: SessionPath, request: Fields): Operation {
  const bytes = encodeBinary(requestSchema(path), request);
  return { id, method: methodNumber(path), request: bytes, timeoutMs: 0, action: 0 };
}
