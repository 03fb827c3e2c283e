import { assert } from '../lib/assert.ts';
import { encodeBase64 } from './base64.ts';
import { jsonString } from './json-text.ts';
import type { FieldPlan, FieldType, MessagePlan } from './plan.ts';

type Properties = Readonly<Record<string, unknown>>;

/**
 * A message as the gateway of etcd 3.4 and 3.5 prints it: names of the proto file in the order of
 * declaration, zero values left out, 64-bit integers as strings, bytes as base64.
 */
export function encodeMessage(plan: MessagePlan, message: Properties): string {
  let json = '';
  for (const field of plan.fields) {
    const value = encodeField(field, message);
    if (value !== '') json += `${json === '' ? '{' : ','}"${field.name}":${value}`;
  }
  return json === '' ? '{}' : `${json}}`;
}

/** The field's value, or the empty text when it is left out. */
function encodeField(field: FieldPlan, message: Properties): string {
  if (field.oneof !== null) {
    // A chosen member of a group is printed even when it is zero.
    const group = message[field.oneof] as { readonly case?: string; readonly value?: unknown };
    return group.case === field.localName ? encodeValue(field.type, group.value) : '';
  }
  const value = message[field.localName];
  if (field.repeated) return encodeList(field.type, value as readonly unknown[]);
  return isLeftOut(value) ? '' : encodeValue(field.type, value);
}

function encodeList(type: FieldType, items: readonly unknown[]): string {
  if (items.length === 0) return '';
  let json = '';
  for (const item of items) json += `${json === '' ? '[' : ','}${encodeValue(type, item)}`;
  return `${json}]`;
}

/** Zero, empty or not there. A message that is there is printed, if only as `{}`. */
function isLeftOut(value: unknown): boolean {
  return !value || (value instanceof Uint8Array && value.length === 0);
}

function encodeValue(type: FieldType, value: unknown): string {
  switch (type.kind) {
    case 'message':
      return encodeMessage(type.plan, value as Properties);
    case 'bytes':
      assert(value instanceof Uint8Array, 'a field of bytes holds bytes');
      return `"${encodeBase64(value)}"`;
    case 'string':
      return jsonString(value as string);
    case 'int64':
    case 'uint64':
      return `"${value}"`;
    case 'bool':
    case 'int32':
    case 'uint32':
      return `${value}`;
    case 'enum': {
      const name = type.nameByNumber.get(value as number);
      return name === undefined ? `${value}` : `"${name}"`;
    }
  }
}
