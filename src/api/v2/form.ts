import { textOf } from '../../lib/bytes.ts';
import { goQuote } from '../json-text.ts';

/** A query or a form that cannot be read, in Go's words. */
export class FormError extends Error {
  override readonly name = 'FormError';
}

/**
 * Fields by name, the first value of each, as Go's ParseForm has them: those of the body come
 * before those of the query. @throws FormError
 */
export function parseForm(body: string, query: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const text of [body, query]) {
    for (const item of text === '' ? [] : text.split('&')) {
      if (item.includes(';')) throw new FormError('invalid semicolon separator in query');
      if (item === '') continue;
      const equals = item.indexOf('=');
      const name = unescaped(equals < 0 ? item : item.slice(0, equals));
      const value = equals < 0 ? '' : unescaped(item.slice(equals + 1));
      if (!fields.has(name)) fields.set(name, value);
    }
  }
  return fields;
}

/** Bytes that are no UTF-8 become U+FFFD: v2 is text. */
function unescaped(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/su.exec(spaced);
  if (wrong !== null) throw new FormError(`invalid URL escape ${goQuote(wrong[0])}`);
  return spaced.replace(/(?:%[0-9a-fA-F]{2})+/g, (escapes) => {
    const digits = escapes.slice(1).split('%');
    return textOf(Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16)));
  });
}
