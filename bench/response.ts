import { assert } from '../src/lib/assert.ts';

const headEnd = Buffer.from('\r\n\r\n');

/** A whole answer at the front of the bytes: its status, and where it ends. */
export interface ParsedResponse {
  readonly status: number;
  readonly end: number;
  /** The server closes the connection after it. */
  readonly closes: boolean;
}

/**
 * Finds the end of the first HTTP/1.1 answer.
 * @returns null while it is incomplete
 * @throws InvariantError on what is not HTTP
 */
export function parseResponse(bytes: Buffer): ParsedResponse | null {
  const headLength = bytes.indexOf(headEnd);
  if (headLength < 0) return null;
  const head = bytes.toString('latin1', 0, headLength).toLowerCase();
  const status = Number(/^http\/1\.1 (\d{3})/.exec(head)?.[1]);
  assert(status >= 200, `an answer: ${head.slice(0, 80)}`);
  const end = bodyEnd(bytes, head, headLength + headEnd.length);
  if (end === null || end > bytes.length) return null;
  return { status, end, closes: /\r\nconnection: *close/.test(head) };
}

function bodyEnd(bytes: Buffer, head: string, start: number): number | null {
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) return start + Number(length);
  assert(/\r\ntransfer-encoding: *chunked/.test(head), `a body of known length: ${head}`);
  return chunksEnd(bytes, start);
}

/**
 * Each chunk is its size in hex, a line end, its bytes, a line end; a chunk of size 0 is the last.
 */
function chunksEnd(bytes: Buffer, start: number): number | null {
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at, 'latin1');
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    assert(Number.isSafeInteger(size), 'a chunk has a size');
    at = lineEnd + 2 + size + 2;
    if (size === 0) return at;
    if (at > bytes.length) return null;
  }
}
