import { limits } from '../config.ts';
import { must } from '../lib/assert.ts';
import { Code, EtcdError } from './error.ts';
import { goQuote } from './json-text.ts';

/**
 * Finds values in JSON text and says what is wrong with it in the words of Go's encoding/json.
 * Values stay text: what they mean depends on the field that they are for.
 */

const QUOTE = 0x22;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const LOWER_U = 0x75;

/** What may follow a backslash, but `u`. */
const ESCAPES = '"\\/bfnrt';

/** @returns the offset of the first character from `at` on that is no white space */
export function skipBlanks(text: string, at: number): number {
  let next = at;
  while (isBlank(text.charCodeAt(next))) next++;
  return next;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** What scanning a value found out about it. */
export interface Scanned {
  /** The offset behind the value. */
  readonly end: number;
  /**
   * The offsets behind the objects and lists in it, by the offsets at which they begin: whoever
   * reads on can step over them, so that deep nesting does not make a body be read again and again.
   */
  readonly ends: ReadonlyMap<number, number>;
}

/**
 * Checks the value that begins at `at`, to its end and no further.
 * @param whatIsMissing the error when the text ends too early
 * @throws EtcdError with Go's text
 */
export function scanValue(text: string, at: number, whatIsMissing: string): Scanned {
  const scanner = new Scanner(text, whatIsMissing);
  return { end: scanner.value(at, 0), ends: scanner.ends };
}

class Scanner {
  readonly ends = new Map<number, number>();
  readonly #text: string;
  readonly #whatIsMissing: string;

  constructor(text: string, whatIsMissing: string) {
    this.#text = text;
    this.#whatIsMissing = whatIsMissing;
  }

  /** Each of these takes the offset at which its part begins and returns the one behind it. */
  value(at: number, depth: number): number {
    const code = this.#text.charCodeAt(at);
    switch (code) {
      case QUOTE:
        return this.#string(at);
      case OPEN_OBJECT:
        return this.#closed(at, this.#object(at, this.#deeper(depth)));
      case OPEN_ARRAY:
        return this.#closed(at, this.#array(at, this.#deeper(depth)));
      case LOWER_T:
        return this.#literal(at, 'true');
      case LOWER_F:
        return this.#literal(at, 'false');
      case LOWER_N:
        return this.#literal(at, 'null');
    }
    if (code === MINUS || isDigit(code)) return this.#number(at);
    throw this.#unexpected(at, 'looking for beginning of value');
  }

  #deeper(depth: number): number {
    if (depth >= limits.jsonDepthMax) {
      throw invalid(`exceeded max depth of ${limits.jsonDepthMax}`);
    }
    return depth + 1;
  }

  #closed(start: number, end: number): number {
    if (this.ends.size >= limits.jsonItemsMax) {
      throw invalid(`more than ${limits.jsonItemsMax} objects and lists`);
    }
    this.ends.set(start, end);
    return end;
  }

  #object(start: number, depth: number): number {
    const text = this.#text;
    let at = skipBlanks(text, start + 1);
    if (text.charCodeAt(at) === CLOSE_OBJECT) return at + 1;
    for (;;) {
      if (text.charCodeAt(at) !== QUOTE) {
        throw this.#unexpected(at, 'looking for beginning of object key string');
      }
      at = skipBlanks(text, this.#string(at));
      if (text.charCodeAt(at) !== COLON) throw this.#unexpected(at, 'after object key');
      at = skipBlanks(text, this.value(skipBlanks(text, at + 1), depth));
      const code = text.charCodeAt(at);
      if (code === CLOSE_OBJECT) return at + 1;
      if (code !== COMMA) throw this.#unexpected(at, 'after object key:value pair');
      at = skipBlanks(text, at + 1);
    }
  }

  #array(start: number, depth: number): number {
    const text = this.#text;
    let at = skipBlanks(text, start + 1);
    if (text.charCodeAt(at) === CLOSE_ARRAY) return at + 1;
    for (;;) {
      at = skipBlanks(text, this.value(at, depth));
      const code = text.charCodeAt(at);
      if (code === CLOSE_ARRAY) return at + 1;
      if (code !== COMMA) throw this.#unexpected(at, 'after array element');
      at = skipBlanks(text, at + 1);
    }
  }

  #string(start: number): number {
    const text = this.#text;
    let at = start + 1;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) return at + 1;
      if (code === BACKSLASH) at = this.#escape(at + 1);
      else if (code >= 0x20) at++;
      else throw this.#unexpected(at, 'in string literal');
    }
  }

  #escape(start: number): number {
    const code = this.#text.charCodeAt(start);
    if (code !== LOWER_U) {
      if (ESCAPES.includes(this.#text.charAt(start)) && start < this.#text.length) return start + 1;
      throw this.#unexpected(start, 'in string escape code');
    }
    for (let at = start + 1; at <= start + 4; at++) {
      if (!isHexDigit(this.#text.charCodeAt(at))) {
        throw this.#unexpected(at, 'in \\u hexadecimal character escape');
      }
    }
    return start + 5;
  }

  #literal(start: number, word: string): number {
    for (let i = 1; i < word.length; i++) {
      if (this.#text[start + i] !== word[i]) {
        throw this.#unexpected(start + i, `in literal ${word} (expecting '${word[i]}')`);
      }
    }
    return start + word.length;
  }

  #number(start: number): number {
    const text = this.#text;
    let at = text.charCodeAt(start) === MINUS ? start + 1 : start;
    if (text.charCodeAt(at) === ZERO) at++;
    else at = this.#digits(at, 'in numeric literal');
    if (text.charCodeAt(at) === POINT)
      at = this.#digits(at + 1, 'after decimal point in numeric literal');
    // An exponent's mark is an `e` of either case.
    if ((text.charCodeAt(at) | 0x20) !== LOWER_E) return at;
    const sign = text[at + 1];
    const digits = sign === '+' || sign === '-' ? at + 2 : at + 1;
    return this.#digits(digits, 'in exponent of numeric literal');
  }

  /** At least one. */
  #digits(start: number, context: string): number {
    let at = start;
    while (isDigit(this.#text.charCodeAt(at))) at++;
    if (at === start) throw this.#unexpected(at, context);
    return at;
  }

  #unexpected(at: number, context: string): EtcdError {
    if (at >= this.#text.length) return invalid(this.#whatIsMissing);
    return unexpectedCharacter(this.#text, at, context);
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

function isHexDigit(code: number): boolean {
  return isDigit(code) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}

/**
 * Go complains about a byte, not about a character: of a longer one about its first byte, as
 * Latin-1.
 */
export function unexpectedCharacter(text: string, at: number, context: string): EtcdError {
  const point = text.codePointAt(at) as number;
  const byte = new TextEncoder().encode(String.fromCodePoint(point))[0] as number;
  return invalid(`invalid character ${quoteCharacter(String.fromCharCode(byte))} ${context}`);
}

function quoteCharacter(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return `'"'`;
  return `'${goQuote(character).slice(1, -1)}'`;
}

/** What Go's decoder objects to is an InvalidArgument of the gateway. */
export function invalid(message: string): EtcdError {
  return new EtcdError(Code.invalidArgument, message);
}

/**
 * The offset behind the value at `at`, in text that {@link scanValue} has checked. Strings are
 * skipped by searching, which is several times faster than looking at each character.
 */
export function skipValue(text: string, at: number, ends: ReadonlyMap<number, number>): number {
  const code = text.charCodeAt(at);
  if (code === QUOTE) return skipString(text, at);
  if (code !== OPEN_OBJECT && code !== OPEN_ARRAY) return skipBare(text, at);
  return must(ends.get(at), 'every object and list was scanned');
}

function skipString(text: string, at: number): number {
  let close = text.indexOf('"', at + 1);
  while (isEscaped(text, close)) close = text.indexOf('"', close + 1);
  return close + 1;
}

/** Whether an odd number of backslashes stands before. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === BACKSLASH) first--;
  return (at - first) % 2 === 1;
}

/** A number, true, false or null. */
function skipBare(text: string, at: number): number {
  let next = at + 1;
  for (; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === COMMA || code === CLOSE_OBJECT || code === CLOSE_ARRAY || isBlank(code)) break;
  }
  return next;
}
