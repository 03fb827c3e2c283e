import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** What a zone has: SRV records as [port, target], addresses of version 4. */
export interface Zone {
  readonly srv: Readonly<Record<string, readonly (readonly [port: number, target: string])[]>>;
  readonly a: Readonly<Record<string, readonly string[]>>;
}

const TYPES = { A: 1, SRV: 33 } as const;
const IN = 1;
const NO_SUCH_NAME = 3;
const TTL_SECONDS = 1;

/** A small DNS server on loopback, by UDP: what RFC 1035 and 2782 need for these two types. */
export class DnsServer {
  /** The names it was asked for, as `SRV name`. */
  readonly asked: string[] = [];
  readonly #socket: Socket = createSocket('udp4');
  readonly #zone: Zone;

  constructor(zone: Zone) {
    this.#zone = zone;
    this.#socket.on('message', (message, { port, address }) => {
      this.#socket.send(this.#answer(message), port, address);
    });
  }

  /** @returns where it is, as `host:port` */
  async listen(port = 0): Promise<string> {
    this.#socket.bind(port, '127.0.0.1');
    await once(this.#socket, 'listening');
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): void {
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer {
    const { name, type, end } = questionOf(query);
    const kind = type === TYPES.SRV ? 'SRV' : type === TYPES.A ? 'A' : `type ${type}`;
    this.asked.push(`${kind} ${name}`);
    const records = this.#records(name, type);
    const isKnown = name in this.#zone.srv || name in this.#zone.a;
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8580 | (isKnown ? 0 : NO_SUCH_NAME), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    const answers = records.map((data) => Buffer.concat([recordHead(type, data.length), data]));
    return Buffer.concat([header, query.subarray(12, end), ...answers]);
  }

  #records(name: string, type: number): Buffer[] {
    if (type === TYPES.A) {
      return (this.#zone.a[name] ?? []).map((address) =>
        Buffer.from(address.split('.').map(Number)),
      );
    }
    if (type !== TYPES.SRV) return [];
    return (this.#zone.srv[name] ?? []).map(([port, target]) => {
      const head = Buffer.alloc(6);
      head.writeUInt16BE(port, 4);
      return Buffer.concat([head, encodeName(target)]);
    });
  }
}

/** The one question that resolvers ask. */
function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('ascii', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** A record of the name in the question, which is at byte 12. */
function recordHead(type: number, length: number): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(IN, 4);
  head.writeUInt32BE(TTL_SECONDS, 6);
  head.writeUInt16BE(length, 10);
  return head;
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => {
    return Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'ascii')]);
  });
  return Buffer.concat([...labels, Buffer.from([0])]);
}
