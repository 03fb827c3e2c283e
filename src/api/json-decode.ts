import { limits } from '../config.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';
import { Base64Error, decodeBase64 } from './base64.ts';
import type { EtcdError } from './error.ts';
import { type IntegerKind, integerOf } from './json-integer.ts';
import { kindOf, mismatch } from './json-kind.ts';
import { invalid, skipBlanks, skipValue } from './json-scan.ts';
import { goQuote, wellFormed } from './json-text.ts';
import type { FieldPlan, FieldType, MessagePlan } from './plan.ts';

/** A value in the text: from `start` to `end` exclusive. */
interface Span {
  readonly start: number;
  readonly end: number;
}

type Properties = Record<string, unknown>;

/**
 * Turns checked JSON text into a message by the rules of the gateway of etcd 3.4 and 3.5: fields
 * are looked at in the order in which the message declares them, oneof groups last, and the first
 * error is the one that is told.
 */
export class JsonDecoder {
  readonly #text: string;
  readonly #ends: ReadonlyMap<number, number>;
  #items = 0;

  /** @param ends what scanValue found where a message is to be decoded */
  constructor(text: string, ends: ReadonlyMap<number, number>) {
    this.#text = text;
    this.#ends = ends;
  }

  message(plan: MessagePlan, span: Span): Properties {
    const message = zeroMessage(plan);
    if (this.#isNull(span)) return message;
    if (this.#text[span.start] !== '{') throw this.#mismatch(span, 'map[string]json.RawMessage');
    const spans = this.#members(plan, span.start);
    plan.fields.forEach((field, position) => {
      const value = field.oneof === null ? spanOf(spans, position) : undefined;
      if (value !== undefined) this.#field(message, field, value);
    });
    if (plan.oneofs.length === 0) return message;
    // Of two members of a group the one that is declared last wins: Go leaves it to chance.
    plan.fields.forEach((field, position) => {
      const value = field.oneof === null ? undefined : spanOf(spans, position);
      if (value !== undefined) this.#member(message, field, value);
    });
    return message;
  }

  /** Where the known fields' values are, by slot. A repeated name overwrites. */
  #members(plan: MessagePlan, start: number): Span[] {
    const text = this.#text;
    const spans: Span[] = [];
    let at = skipBlanks(text, start + 1);
    while (text[at] !== '}') {
      const nameEnd = skipValue(text, at, this.#ends);
      const name = this.#string({ start: at, end: nameEnd });
      const valueStart = skipBlanks(text, skipBlanks(text, nameEnd) + 1);
      const valueEnd = skipValue(text, valueStart, this.#ends);
      const slot = plan.slotByName.get(name);
      if (slot !== undefined) spans[slot] = { start: valueStart, end: valueEnd };
      at = skipBlanks(text, valueEnd);
      if (text[at] === ',') at = skipBlanks(text, at + 1);
    }
    return spans;
  }

  #field(message: Properties, field: FieldPlan, span: Span): void {
    if (field.repeated) message[field.localName] = this.#list(field, span);
    else if (!this.#isNull(span)) message[field.localName] = this.#value(field.type, span);
  }

  #member(message: Properties, field: FieldPlan, span: Span): void {
    if (field.oneof === null || (field.type.kind === 'message' && this.#isNull(span))) return;
    message[field.oneof] = { case: field.localName, value: this.#value(field.type, span) };
  }

  #list(field: FieldPlan, span: Span): unknown[] {
    if (this.#isNull(span)) return [];
    if (this.#text[span.start] !== '[') throw this.#mismatch(span, '[]json.RawMessage');
    return this.#elements(span.start).map((element) => {
      if (field.type.kind === 'message' && this.#isNull(element)) {
        throw invalid(`proto: repeated field ${goQuote(field.name)} has a null element`);
      }
      return this.#value(field.type, element);
    });
  }

  #elements(start: number): Span[] {
    const text = this.#text;
    const spans: Span[] = [];
    let at = skipBlanks(text, start + 1);
    while (text[at] !== ']') {
      if (++this.#items > limits.jsonItemsMax) {
        throw invalid(`more than ${limits.jsonItemsMax} list elements`);
      }
      const end = skipValue(text, at, this.#ends);
      spans.push({ start: at, end });
      at = skipBlanks(text, end);
      if (text[at] === ',') at = skipBlanks(text, at + 1);
    }
    return spans;
  }

  #value(type: FieldType, span: Span): unknown {
    switch (type.kind) {
      case 'message':
        return this.message(type.plan, span);
      case 'bytes':
        return this.#bytes(span);
      case 'bool':
        return this.#bool(span);
      case 'string':
        if (this.#isNull(span)) return '';
        if (this.#text[span.start] !== '"') throw this.#mismatch(span, 'string');
        return this.#string(span);
      case 'enum':
        return this.#enum(type, span);
      case 'int64':
      case 'uint64':
        return this.#integer(type.kind, span);
      case 'int32':
      case 'uint32':
        return Number(this.#integer(type.kind, span));
    }
  }

  #string({ start, end }: Span): string {
    const raw = this.#text.slice(start + 1, end - 1);
    if (!raw.includes('\\')) return raw;
    return wellFormed(JSON.parse(this.#text.slice(start, end)) as string);
  }

  #bytes(span: Span): Uint8Array {
    if (this.#isNull(span)) return EMPTY_BYTES;
    const first = this.#text[span.start];
    if (first === '[') return this.#byteList(span);
    if (first !== '"') throw this.#mismatch(span, '[]uint8');
    try {
      return decodeBase64(this.#string(span));
    } catch (error) {
      throw error instanceof Base64Error ? invalid(error.message) : error;
    }
  }

  /** Go reads a list of small numbers as bytes, too. */
  #byteList(span: Span): Uint8Array {
    const elements = this.#elements(span.start);
    return Uint8Array.from(elements, (element) => {
      if (this.#text[element.start] === '"') throw this.#mismatch(element, 'uint8');
      return Number(this.#integer('uint8', element));
    });
  }

  #bool(span: Span): boolean {
    const first = this.#text[span.start];
    if (first === 't' || first === 'f') return first === 't';
    if (this.#isNull(span)) return false;
    throw this.#mismatch(span, 'bool');
  }

  /** A name; or a number, which need not be one that has a name. */
  #enum(type: FieldType & { readonly kind: 'enum' }, span: Span): number {
    const { start, end } = span;
    if (this.#text[start] !== '"') {
      return Number(integerOf(this.#text.slice(start, end), 'int32', type.goType));
    }
    const name = this.#text.slice(start + 1, end - 1);
    const number = type.numberByName.get(name);
    if (number === undefined) {
      throw invalid(`unknown value ${goQuote(name)} for enum ${type.goType}`);
    }
    return number;
  }

  /** A number, or a string with the text of one: JavaScript's numbers end at 2^53. */
  #integer(kind: IntegerKind, { start, end }: Span): bigint {
    const quoted = this.#text[start] === '"';
    const raw = quoted ? this.#text.slice(start + 1, end - 1) : this.#text.slice(start, end);
    return integerOf(raw, kind, kind);
  }

  #isNull({ start }: Span): boolean {
    return this.#text[start] === 'n';
  }

  #mismatch({ start }: Span, goType: string): EtcdError {
    return mismatch(kindOf(this.#text, start), goType);
  }
}

function spanOf(spans: readonly Span[], position: number): Span | undefined {
  return spans[2 * position + 1] ?? spans[2 * position];
}

/** A message without any field set, as `create` of the protobuf library makes it. */
export function zeroMessage(plan: MessagePlan): Properties {
  const message: Properties = { $typeName: plan.typeName };
  for (const field of plan.fields) {
    if (field.oneof === null) {
      const zero = field.repeated ? [] : zeroOf(field.type);
      if (zero !== undefined) message[field.localName] = zero;
    } else {
      message[field.oneof] = { case: undefined };
    }
  }
  return message;
}

function zeroOf(type: FieldType): unknown {
  switch (type.kind) {
    case 'message':
      return undefined;
    case 'bytes':
      return EMPTY_BYTES;
    case 'string':
      return '';
    case 'bool':
      return false;
    case 'int64':
    case 'uint64':
      return 0n;
    case 'int32':
    case 'uint32':
    case 'enum':
      return 0;
  }
}
