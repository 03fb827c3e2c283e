import type { SessionPath } from '../../api/session-methods.ts';

/** A call as a client's connection brings it. */
export interface HttpCall {
  readonly path: SessionPath;
  /** JSON, or whatever the client takes for it. */
  readonly body: string;
}

interface Head {
  readonly path: SessionPath;
  readonly bodyBytes: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');

const REQUEST_LINE = /^POST (\/v3\/kv\/(?:put|range|deleterange|txn)) HTTP\/1\.1$/;
const HEADER = /^([A-Za-z-]+): *(.*?) *$/;
const LENGTH = /^\d{1,7}$/;

/** What clients send along and nobody looks at. */
const IGNORED: ReadonlySet<string> = new Set([
  'host',
  'user-agent',
  'accept',
  'accept-encoding',
  'accept-language',
  'content-type',
  'sec-fetch-mode',
]);

/**
 * Reads those requests of HTTP/1.1 that come most often, in the form in which clients usually send
 * them: one whole request at once, with no header that changes what it means. It takes nothing
 * that two readers could understand differently: whatever is unusual is not read here at all.
 */
export class RequestReader {
  /** Clients repeat themselves: the head that was read last, and what it said. */
  #text = '';
  #head: Head | null = null;

  /** @returns null when it is anything else than one such request, whole */
  read(bytes: Buffer): HttpCall | null {
    const headBytes = bytes.indexOf(HEAD_END);
    if (headBytes < 0) return null;
    const text = bytes.toString('latin1', 0, headBytes);
    if (text !== this.#text) {
      this.#text = text;
      this.#head = readHead(text);
    }
    const head = this.#head;
    const bodyStart = headBytes + HEAD_END.length;
    if (head === null || bytes.length !== bodyStart + head.bodyBytes) return null;
    return { path: head.path, body: bytes.toString('utf8', bodyStart) };
  }
}

function readHead(text: string): Head | null {
  const [first = '', ...lines] = text.split('\r\n');
  const path = REQUEST_LINE.exec(first)?.[1];
  if (path === undefined) return null;
  let bodyBytes: number | null = null;
  let hosts = 0;
  for (const line of lines) {
    const [, given = '', value = ''] = HEADER.exec(line) ?? [];
    const name = given.toLowerCase();
    if (name === 'host') hosts++;
    if (IGNORED.has(name)) continue;
    if (name === 'connection' && value.toLowerCase() === 'keep-alive') continue;
    if (name !== 'content-length' || bodyBytes !== null || !LENGTH.test(value)) return null;
    bodyBytes = Number(value);
  }
  // The pattern of the request line names paths of sessions only.
  return bodyBytes === null || hosts !== 1 ? null : { path: path as SessionPath, bodyBytes };
}
