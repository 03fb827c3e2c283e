import {
  MESSAGES,
  METHOD_MESSAGES,
  type StreamMethods,
  type UnaryMethods,
} from '../api/gen/messages.ts';
import { must } from '../lib/assert.ts';

/** What the codecs know of a message: a line of MESSAGES in api/gen/messages.ts, taken apart. */
export interface MessageSchema {
  readonly name: string;
  readonly fields: readonly FieldSchema[];
  readonly byNumber: ReadonlyMap<number, FieldSchema>;
  /** By the name in the proto file, which is the one in JSON. */
  readonly byName: ReadonlyMap<string, FieldSchema>;
}

/**
 * b: bytes, s: text, t: truth, n: a number, i: a signed and u: an unsigned integer of 64 bits that
 * is an id, #: an enumeration, @: a message
 */
export type Kind = 'b' | 's' | 't' | 'n' | 'i' | 'u' | '#' | '@';

export interface FieldSchema {
  readonly name: string;
  /** The name as a property: modRevision for mod_revision. */
  readonly property: string;
  readonly number: number;
  readonly kind: Kind;
  readonly repeated: boolean;
  /** There is a difference between zero and nothing. */
  readonly optional: boolean;
  /** Of the message, or of the enumeration. */
  readonly type: string;
}

export interface EnumSchema {
  readonly numberByName: ReadonlyMap<string, number>;
  readonly nameByNumber: ReadonlyMap<number, string>;
}

/** A message as the codecs see it. */
export type Fields = Readonly<Record<string, unknown>>;

/** Every method of etcd's v3 API, by its path. */
export type Methods = UnaryMethods & StreamMethods;

const lines = MESSAGES.trim()
  .split('\n')
  .map((line) => line.split(' '));

const messages: ReadonlyMap<string, MessageSchema> = new Map(
  lines.filter(([name = '']) => !name.startsWith('#')).map(messageOfLine),
);

const enums: ReadonlyMap<string, EnumSchema> = new Map(
  lines.filter(([name = '']) => name.startsWith('#')).map(enumOfLine),
);

function messageOfLine([name = '', ...texts]: string[]): [string, MessageSchema] {
  const fields = texts.map(fieldOf);
  const byNumber = new Map(fields.map((field) => [field.number, field]));
  const byName = new Map(fields.map((field) => [field.name, field]));
  return [name, { name, fields, byNumber, byName }];
}

function fieldOf(text: string): FieldSchema {
  const [, name = '', number, flag, kind, type = ''] = must(
    /^(\w+)=(\d+)([*?]?)([bstniu#@])(\w*)$/.exec(text),
    `a field: ${text}`,
  );
  return {
    name,
    property: name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    number: Number(number),
    kind: kind as Kind,
    repeated: flag === '*',
    optional: flag === '?',
    type,
  };
}

function enumOfLine([name = '', ...texts]: string[]): [string, EnumSchema] {
  const values = texts.map((text) => text.split('=')).map(([value = '', n]) => [value, Number(n)]);
  const pairs = values as [string, number][];
  const nameByNumber = new Map(pairs.map(([value, number]) => [number, value]));
  return [name.slice(1), { numberByName: new Map(pairs), nameByNumber }];
}

export function messageSchema(name: string): MessageSchema {
  return must(messages.get(name), `${name} is no message`);
}

export function enumSchema(name: string): EnumSchema {
  return must(enums.get(name), `${name} is no enumeration`);
}

export function requestSchema(path: keyof Methods): MessageSchema {
  return messageSchema(METHOD_MESSAGES[path][0]);
}

export function responseSchema(path: keyof Methods): MessageSchema {
  return messageSchema(METHOD_MESSAGES[path][1]);
}

/** What a field is when nothing was said of it. */
export function zeroOf(field: FieldSchema): unknown {
  if (field.repeated) return [];
  switch (field.kind) {
    case 'b':
      return new Uint8Array(0);
    case 's':
      return '';
    case 't':
      return false;
    case 'n':
      return 0;
    case 'i':
    case 'u':
      return 0n;
    case '#':
      return enumSchema(field.type).nameByNumber.get(0);
    case '@':
      return undefined;
  }
}

/** A message of which nothing was said: every field that is never absent is zero. */
export function emptyMessage({ fields }: MessageSchema): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const field of fields) if (!field.optional) message[field.property] = zeroOf(field);
  return message;
}

/** Whether a value need not be written. */
export function isDefault(
  { repeated, optional, kind, type }: FieldSchema,
  value: unknown,
): boolean {
  if (value === undefined || value === null) return true;
  if (repeated) return (value as readonly unknown[]).length === 0;
  if (optional) return false;
  if (kind === 'b') return (value as Uint8Array).length === 0;
  if (kind === '#') return enumSchema(type).numberByName.get(value as string) === 0;
  return !value;
}
