/** Headers that concern one connection only, and end with it. */
const SINGLE_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Those that the proxy says itself. */
const REPLACED: ReadonlySet<string> = new Set([
  'content-length',
  'expect',
  'host',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** Names and values in turn, as Node has them from a connection. */
export type RawHeaders = readonly string[];

/** What is to be passed on, with names as they were written. */
export function passedOn(raw: RawHeaders, left: ReadonlySet<string> = new Set()): string[] {
  const named = namedByConnection(raw);
  const kept: string[] = [];
  for (const [name, value] of pairs(raw)) {
    const lower = name.toLowerCase();
    if (SINGLE_HOP.has(lower) || named.has(lower) || left.has(lower)) continue;
    kept.push(name, value);
  }
  return kept;
}

/** Who sent a request, for the member that gets it. */
export interface Sender {
  readonly address: string;
  readonly scheme: 'http' | 'https';
}

/**
 * The headers of a request for a member: the client's, and who the client is.
 * @param bodyBytes null: there is no body, and it is not said how long it is
 */
export function requestHeaders(
  raw: RawHeaders,
  host: string,
  sender: Sender,
  bodyBytes: number | null,
): string[] {
  const before = values(raw, 'x-forwarded-for');
  const headers = ['Host', host, ...passedOn(raw, REPLACED)];
  headers.push('X-Forwarded-For', [...before, sender.address].join(', '));
  // Of several proxies in a row the first knows what the client has asked for.
  const [asked] = [...values(raw, 'x-forwarded-host'), ...values(raw, 'host')];
  if (asked !== undefined) headers.push('X-Forwarded-Host', asked);
  const [scheme = sender.scheme] = values(raw, 'x-forwarded-proto');
  headers.push('X-Forwarded-Proto', scheme);
  if (bodyBytes !== null) headers.push('Content-Length', String(bodyBytes));
  return headers;
}

/** A head on a connection that is no longer Node's to write to. */
export function headText(
  status: number,
  text: string,
  headers: RawHeaders,
  ...more: readonly string[]
): string {
  const lines = [...pairs(headers)].map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${text}`, ...lines, ...more, '', ''].join('\r\n');
}

export function values(raw: RawHeaders, wanted: string): string[] {
  return [...pairs(raw)]
    .filter(([name]) => name.toLowerCase() === wanted)
    .map(([, value]) => value);
}

function namedByConnection(raw: RawHeaders): ReadonlySet<string> {
  const names = values(raw, 'connection').flatMap((value) => value.toLowerCase().split(','));
  return new Set(names.map((name) => name.trim()));
}

function* pairs(raw: RawHeaders): Generator<readonly [name: string, value: string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [raw[i] ?? '', raw[i + 1] ?? ''];
}
