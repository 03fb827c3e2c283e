import { decodeBase64, encodeBase64 } from '../api/base64.ts';
import {
  emptyMessage,
  type FieldSchema,
  type Fields,
  isDefault,
  type MessageSchema,
  messageSchema,
} from './schema.ts';

/** Messages as the gateway's JSON: bytes in base64, integers of 64 bits as text. */

export function encodeJson(schema: MessageSchema, message: Fields): string {
  return JSON.stringify(toJson(schema, message));
}

function toJson(schema: MessageSchema, message: Fields): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const value = message[field.property];
    if (isDefault(field, value)) continue;
    json[field.name] = field.repeated
      ? (value as readonly unknown[]).map((item) => valueToJson(field, item))
      : valueToJson(field, value);
  }
  return json;
}

function valueToJson({ kind, type }: FieldSchema, value: unknown): unknown {
  switch (kind) {
    case 'b':
      return encodeBase64(value as Uint8Array);
    case 'n':
    case 'i':
    case 'u':
      return String(value);
    case '@':
      return toJson(messageSchema(type), value as Fields);
    default:
      return value;
  }
}

/** A message from what JSON.parse made of an answer. Fields that are new are passed over. */
export function fromJson(schema: MessageSchema, json: unknown): Fields {
  const message = emptyMessage(schema);
  if (typeof json !== 'object' || json === null) return message;
  for (const [name, value] of Object.entries(json)) {
    const field = schema.byName.get(name);
    if (field === undefined || value === null) continue;
    message[field.property] = field.repeated
      ? (value as readonly unknown[]).map((item) => valueFromJson(field, item))
      : valueFromJson(field, value);
  }
  return message;
}

function valueFromJson({ kind, type }: FieldSchema, value: unknown): unknown {
  switch (kind) {
    case 'b':
      return decodeBase64(String(value));
    case 'n':
      return Number(value);
    case 'i':
    case 'u':
      return BigInt(String(value));
    case '@':
      return fromJson(messageSchema(type), value);
    default:
      return value;
  }
}
