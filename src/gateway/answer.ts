import type { CallReply } from '../api/call.ts';
import type { EtcdError } from '../api/error.ts';
import { encodeError } from '../api/error-body.ts';
import { NOTHING_DONE } from '../api/stream-call.ts';
import { CORS_HEADERS } from './cors.ts';

/** Made once: a Response copies them natively, and faster than it reads them off an object. */
const SUCCESS_HEADERS = new Headers({
  ...CORS_HEADERS,
  'Content-Type': 'application/json',
  'Grpc-Metadata-Content-Type': 'application/grpc',
});

const FAILURE_HEADERS = new Headers({ ...CORS_HEADERS, 'Content-Type': 'application/json' });

/** Go's http.Error: text that a browser must not take for anything else. */
const TEXT_ERROR_HEADERS = {
  ...CORS_HEADERS,
  'Content-Type': 'text/plain; charset=utf-8',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** The answer of a method, as the member encoded it. */
export function methodAnswer(status: number, body: string): Response {
  return new Response(body, {
    status,
    headers: status === 200 ? SUCCESS_HEADERS : FAILURE_HEADERS,
  });
}

/** Of a method that no member has taken: nothing was done, and the client may try again. */
export function refusalAnswer({ status, body }: CallReply): Response {
  const response = methodAnswer(status, body);
  response.headers.set(...NOTHING_DONE);
  return response;
}

/** An error of the gateway itself, before a member was asked. */
export function errorAnswer(error: EtcdError): Response {
  const { status, body } = encodeError(error);
  return methodAnswer(status, body);
}

/** An error in words, ended by a newline as Go does. */
export function textError(
  status: number,
  text: string,
  headers?: Record<string, string>,
): Response {
  return new Response(`${text}\n`, { status, headers: { ...TEXT_ERROR_HEADERS, ...headers } });
}

/** Go's http.Redirect: only GET and HEAD get a page that says so. */
export function redirectAnswer(location: string, method: string): Response {
  const headers: Record<string, string> = { ...CORS_HEADERS, Location: location };
  if (method !== 'GET' && method !== 'HEAD') return new Response(null, { status: 301, headers });
  headers['Content-Type'] = 'text/html; charset=utf-8';
  const page = `<a href="${escapeHtml(location)}">Moved Permanently</a>.\n\n`;
  return new Response(page, { status: 301, headers });
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&#34;')
    .replaceAll("'", '&#39;');
}
