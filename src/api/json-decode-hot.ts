import { EMPTY_BYTES } from '../lib/bytes.ts';
import { decodeCanonical } from './base64.ts';
import { blankPut, blankRange } from './blank.ts';
import type { PutRequest, RangeRequest } from './gen/rpc_pb.ts';
import { skipBlanks } from './json-scan.ts';

/**
 * The two requests that come most often, in the form in which clients usually write them, read in
 * one pass. Whatever is unusual or wrong is left to the generic decoder, which knows the words.
 */
export function decodeHot(typeName: string, text: string): PutRequest | RangeRequest | null {
  if (typeName === 'etcdserverpb.PutRequest') return decodePut(text);
  if (typeName === 'etcdserverpb.RangeRequest') return decodeRange(text);
  return null;
}

function decodePut(text: string): PutRequest | null {
  const put = blankPut();
  const reader = new HotReader(text);
  while (reader.nextField()) {
    switch (reader.name) {
      case 'key':
        put.key = reader.bytes();
        break;
      case 'value':
        put.value = reader.bytes();
        break;
      case 'lease':
        put.lease = reader.integer();
        break;
      case 'prev_kv':
        put.prevKv = reader.bool();
        break;
      case 'ignore_value':
        put.ignoreValue = reader.bool();
        break;
      case 'ignore_lease':
        put.ignoreLease = reader.bool();
        break;
      default:
        return null;
    }
  }
  return reader.isUsual ? put : null;
}

function decodeRange(text: string): RangeRequest | null {
  const range = blankRange();
  const reader = new HotReader(text);
  while (reader.nextField()) {
    switch (reader.name) {
      case 'key':
        range.key = reader.bytes();
        break;
      case 'range_end':
        range.rangeEnd = reader.bytes();
        break;
      case 'limit':
        range.limit = reader.integer();
        break;
      case 'revision':
        range.revision = reader.integer();
        break;
      case 'serializable':
        range.serializable = reader.bool();
        break;
      case 'keys_only':
        range.keysOnly = reader.bool();
        break;
      case 'count_only':
        range.countOnly = reader.bool();
        break;
      default:
        return null;
    }
  }
  return reader.isUsual ? range : null;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Integers of so many digits are exact as JavaScript's numbers. */
const DIGITS_MAX = 15;

/**
 * Reads one flat object. After the first unusual thing every read is empty and `isUsual` is false.
 */
class HotReader {
  /** Of the current field. */
  name = '';
  isUsual = true;
  readonly #text: string;
  /** Behind what was read and the white space there. */
  #at: number;
  #isFirst = true;

  constructor(text: string) {
    this.#text = text;
    this.#at = skipBlanks(text, 0);
    if (!this.#take(OPEN)) this.isUsual = false;
  }

  /** Goes to the next field's value; false at the end of the object or of what is usual. */
  nextField(): boolean {
    if (!this.isUsual || this.#take(CLOSE)) return false;
    // A comma stands before every field but the first, and never before the end.
    if (!this.#isFirst && !this.#take(COMMA)) return this.#fail(false);
    this.#isFirst = false;
    const name = this.#quoted();
    if (name === null || !this.#take(COLON)) return this.#fail(false);
    this.name = name;
    return true;
  }

  bytes(): Uint8Array {
    const text = this.#quoted();
    return (text === null ? null : decodeCanonical(text)) ?? this.#fail(EMPTY_BYTES);
  }

  bool(): boolean {
    if (this.#takeWord('true')) return true;
    if (!this.#takeWord('false')) this.isUsual = false;
    return false;
  }

  /** With or without quotes. */
  integer(): bigint {
    const text = this.#text;
    const start = text.charCodeAt(this.#at) === QUOTE ? this.#at + 1 : this.#at;
    const digits = text.charCodeAt(start) === MINUS ? start + 1 : start;
    let end = digits;
    while (isDigit(text.charCodeAt(end))) end++;
    const length = end - digits;
    const isPadded = length > 1 && text.charCodeAt(digits) === ZERO;
    if (length === 0 || length > DIGITS_MAX || isPadded) return this.#fail(0n);
    const isQuoted = start > this.#at;
    if (isQuoted && text.charCodeAt(end) !== QUOTE) return this.#fail(0n);
    this.#goTo(isQuoted ? end + 1 : end);
    return BigInt(Number(text.slice(start, end)));
  }

  /** A string without looking for escapes: those who use it refuse any text that has one. */
  #quoted(): string | null {
    if (this.#text.charCodeAt(this.#at) !== QUOTE) return null;
    const start = this.#at + 1;
    const end = this.#text.indexOf('"', start);
    if (end < 0) return null;
    this.#goTo(end + 1);
    return this.#text.slice(start, end);
  }

  #take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#goTo(this.#at + 1);
    return true;
  }

  #takeWord(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#goTo(this.#at + word.length);
    return true;
  }

  #goTo(at: number): void {
    // Most bodies have no white space: one comparison says so.
    this.#at = this.#text.charCodeAt(at) > 0x20 ? at : skipBlanks(this.#text, at);
  }

  #fail<Zero>(zero: Zero): Zero {
    this.isUsual = false;
    return zero;
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= 0x39;
}
