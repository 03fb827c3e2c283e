import { Code, EtcdError } from '../../api/error.ts';
import { encodeError } from '../../api/error-body.ts';
import { NOTHING_DONE } from '../../api/stream-call.ts';

/** An answer of the proxy itself. */
export interface Refusal {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

const CORS = [
  ...['Access-Control-Allow-Headers', 'accept, content-type, authorization'],
  ...['Access-Control-Allow-Methods', 'POST, GET, OPTIONS, PUT, DELETE'],
  ...['Access-Control-Allow-Origin', '*'],
];

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  200: 'OK',
  405: 'Method Not Allowed',
  413: 'Payload Too Large',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

export function statusText(status: number): string {
  return STATUS_TEXTS[status] ?? '';
}

/**
 * In the words of etcd's proxy. Clients of v3 find them where they look for errors, and whether
 * their request may have been carried out.
 */
export function refusal(
  status: number,
  text: string,
  path: string,
  isNothingDone: boolean,
): Refusal {
  const message = `httpproxy: ${text}`;
  const headers = [...CORS, 'Content-Type', 'application/json'];
  if (isNothingDone) headers.push(...NOTHING_DONE);
  if (!path.startsWith('/v3/')) return { status, headers, body: JSON.stringify({ message }) };
  const told = isNothingDone
    ? new EtcdError(Code.unavailable, message)
    : EtcdError.of('timeoutDueToConnectionLost');
  return { status, headers, body: encodeError(told).body };
}

/** What a readonly proxy does not pass on: etcd's answers without a word. */
export const NOT_IMPLEMENTED: Refusal = { status: 501, headers: [], body: '' };

export const METHOD_NOT_ALLOWED: Refusal = {
  status: 405,
  headers: [
    ...CORS,
    ...['Allow', 'GET', 'Content-Type', 'text/plain; charset=utf-8'],
    ...['X-Content-Type-Options', 'nosniff'],
  ],
  body: 'Method Not Allowed\n',
};

/** Something the proxy says of itself. */
export function ownAnswer(contentType: string, body: string): Refusal {
  return { status: 200, headers: [...CORS, 'Content-Type', contentType], body };
}
