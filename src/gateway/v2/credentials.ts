import type { BasicCredentials } from '../../api/v2/call.ts';
import { textOf } from '../../lib/bytes.ts';

/** The name and password of HTTP Basic, as Go's BasicAuth reads them. */
export function basicCredentials(headers: Headers): BasicCredentials {
  const header = headers.get('authorization');
  if (header === null || header === '') return null;
  const [, encoded] = /^Basic (.*)$/i.exec(header) ?? [];
  const text = encoded === undefined ? null : decoded(encoded);
  const colon = text?.indexOf(':') ?? -1;
  if (text === null || colon < 0) return 'malformed';
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function decoded(base64: string): string | null {
  try {
    return textOf(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
  } catch {
    return null;
  }
}
