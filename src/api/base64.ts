import { EMPTY_BYTES } from '../lib/bytes.ts';

/** Standard base64 with padding, as Go's StdEncoding reads and writes it. No platform imports. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PAD = 0x3d;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const INVALID = 0xff;

const VALUES = valuesOfCharacters();
const PAIRS = pairsOfCharacters();

/** Newer engines do it natively; the tables do it everywhere. */
interface NativeBase64 {
  fromBase64?(text: string): Uint8Array;
}
interface NativeBytes {
  toBase64?(): string;
}

/**
 * Names where the text is no base64. What stands before is ASCII: characters and bytes are the
 * same.
 */
export class Base64Error extends Error {
  override readonly name = 'Base64Error';

  constructor(offset: number) {
    super(`illegal base64 data at input byte ${offset}`);
  }
}

/**
 * Strict: the padded form and no other alphabet, but line breaks anywhere are skipped.
 * @throws Base64Error
 */
export function decodeBase64(text: string): Uint8Array {
  return decodeCanonical(text) ?? decodeLenient(text);
}

/** The usual form: whole groups of four, no line breaks. Null for anything else. */
export function decodeCanonical(text: string): Uint8Array | null {
  if (text.length === 0) return EMPTY_BYTES;
  if (text.length % 4 !== 0) return null;
  const native = (Uint8Array as unknown as NativeBase64).fromBase64;
  return native === undefined ? decodeByTable(text) : decodeNatively(native, text);
}

function decodeNatively(native: (text: string) => Uint8Array, text: string): Uint8Array | null {
  try {
    const bytes = native(text);
    // Blanks, which the engine skips and Go does not, leave fewer bytes than the length promises.
    return bytes.length === (text.length / 4) * 3 - padding(text) ? bytes : null;
  } catch {
    return null;
  }
}

function padding(text: string): number {
  if (text.charCodeAt(text.length - 1) !== PAD) return 0;
  return text.charCodeAt(text.length - 2) === PAD ? 2 : 1;
}

export function decodeByTable(text: string): Uint8Array | null {
  const pads = padding(text);
  const bytes = new Uint8Array((text.length / 4) * 3 - pads);
  const wholeEnd = pads === 0 ? text.length : text.length - 4;
  let at = 0;
  for (let i = 0; i < wholeEnd; i += 4) {
    const a = valueAt(text, i);
    const b = valueAt(text, i + 1);
    const c = valueAt(text, i + 2);
    const d = valueAt(text, i + 3);
    if ((a | b | c | d) === INVALID) return null;
    bytes[at] = (a << 2) | (b >> 4);
    bytes[at + 1] = (b << 4) | (c >> 2);
    bytes[at + 2] = (c << 6) | d;
    at += 3;
  }
  if (pads === 0) return bytes;
  const a = valueAt(text, wholeEnd);
  const b = valueAt(text, wholeEnd + 1);
  const c = pads === 1 ? valueAt(text, wholeEnd + 2) : 0;
  if ((a | b | c) === INVALID) return null;
  bytes[at] = (a << 2) | (b >> 4);
  if (pads === 1) bytes[at + 1] = (b << 4) | (c >> 2);
  return bytes;
}

function valueAt(text: string, i: number): number {
  return VALUES[text.charCodeAt(i)] ?? INVALID;
}

/**
 * Go's decoder, group by group: line breaks are skipped, and an error names its place as Go does.
 */
export function decodeLenient(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor(text.length / 4) * 3 + 3);
  let length = 0;
  let at = 0;
  while (at < text.length) {
    let group = 0;
    let count = 0;
    let padded = false;
    while (count < 4) {
      if (at === text.length) {
        if (count === 0) return bytes.slice(0, length);
        throw new Base64Error(at - count);
      }
      const code = text.charCodeAt(at++);
      const value = VALUES[code] ?? INVALID;
      if (value !== INVALID) {
        group |= value << (18 - 6 * count++);
      } else if (code === PAD && count >= 2) {
        at = endOfPadding(text, at, count);
        padded = true;
        break;
      } else if (code !== NEWLINE && code !== RETURN) {
        throw new Base64Error(at - 1);
      }
    }
    bytes[length] = group >> 16;
    bytes[length + 1] = group >> 8;
    bytes[length + 2] = group;
    length += count - 1;
    if (padded) break;
  }
  return bytes.slice(0, length);
}

/**
 * Behind a first `=` that stands after `count` characters: its partner, if one is due, and nothing
 * more.
 */
function endOfPadding(text: string, start: number, count: number): number {
  let at = start;
  if (count === 2) {
    at = skipLineBreaks(text, at);
    if (at === text.length) throw new Base64Error(at);
    if (text.charCodeAt(at) !== PAD) throw new Base64Error(at - 1);
    at++;
  }
  at = skipLineBreaks(text, at);
  if (at < text.length) throw new Base64Error(at);
  return at;
}

function skipLineBreaks(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) === NEWLINE || text.charCodeAt(at) === RETURN) at++;
  return at;
}

export function encodeBase64(bytes: Uint8Array): string {
  const native = (bytes as NativeBytes).toBase64;
  return native === undefined ? encodeByTable(bytes) : native.call(bytes);
}

export function encodeByTable(bytes: Uint8Array): string {
  const length = bytes.length;
  const wholeEnd = length - (length % 3);
  let text = '';
  for (let i = 0; i < wholeEnd; i += 3) {
    const group = (byteAt(bytes, i) << 16) | (byteAt(bytes, i + 1) << 8) | byteAt(bytes, i + 2);
    text += (PAIRS[group >> 12] as string) + (PAIRS[group & 0xfff] as string);
  }
  if (length - wholeEnd === 1) {
    text += `${PAIRS[byteAt(bytes, wholeEnd) << 4] as string}==`;
  } else if (length - wholeEnd === 2) {
    const group = (byteAt(bytes, wholeEnd) << 16) | (byteAt(bytes, wholeEnd + 1) << 8);
    text += `${PAIRS[group >> 12] as string}${ALPHABET[(group >> 6) & 0x3f] as string}=`;
  }
  return text;
}

function byteAt(bytes: Uint8Array, i: number): number {
  return bytes[i] as number;
}

function valuesOfCharacters(): Uint8Array {
  const values = new Uint8Array(128).fill(INVALID);
  for (let i = 0; i < ALPHABET.length; i++) values[ALPHABET.charCodeAt(i)] = i;
  return values;
}

/** Two characters for every twelve bits. */
function pairsOfCharacters(): readonly string[] {
  const pairs: string[] = [];
  for (const high of ALPHABET) for (const low of ALPHABET) pairs.push(high + low);
  return pairs;
}
