import type { DescEnum, DescField, DescFile, DescMessage } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import { must } from '../lib/assert.ts';
import { file_auth } from './gen/auth_pb.ts';
import { file_command } from './gen/command_pb.ts';
import { file_election } from './gen/election_pb.ts';
import { file_kv } from './gen/kv_pb.ts';
import { file_lock } from './gen/lock_pb.ts';
import { file_rpc } from './gen/rpc_pb.ts';

/**
 * What the JSON mapping and the size computation need to know of a message, worked out once: a
 * descriptor answers the same questions, but not in a hot loop.
 */
export interface MessagePlan {
  readonly typeName: string;
  /** In the order of declaration: the order in which etcd reads and writes JSON. */
  readonly fields: readonly FieldPlan[];
  /** Names of the oneof groups. */
  readonly oneofs: readonly string[];
  /**
   * Twice the position in `fields` by the name in the proto file, and one more by the
   * lowerCamelCase name where that differs: a message may come with both.
   */
  readonly slotByName: ReadonlyMap<string, number>;
}

export interface FieldPlan {
  readonly number: number;
  /** The name in the proto file, which is also the name in answers. */
  readonly name: string;
  readonly jsonName: string;
  /** The name of the property. */
  readonly localName: string;
  readonly repeated: boolean;
  readonly packed: boolean;
  /** The property of the group that the field belongs to. */
  readonly oneof: string | null;
  readonly type: FieldType;
}

export type ScalarKind = 'bytes' | 'string' | 'bool' | 'int64' | 'uint64' | 'int32' | 'uint32';

export type FieldType =
  | { readonly kind: ScalarKind }
  | {
      readonly kind: 'enum';
      /** The name of Go's generated type, which appears in error texts. */
      readonly goType: string;
      readonly numberByName: ReadonlyMap<string, number>;
      readonly nameByNumber: ReadonlyMap<number, string>;
    }
  | { readonly kind: 'message'; readonly plan: MessagePlan };

interface MutablePlan extends MessagePlan {
  readonly fields: FieldPlan[];
  readonly oneofs: string[];
  readonly slotByName: Map<string, number>;
}

const scalarKinds: ReadonlyMap<ScalarType, ScalarKind> = new Map([
  [ScalarType.BYTES, 'bytes'],
  [ScalarType.STRING, 'string'],
  [ScalarType.BOOL, 'bool'],
  [ScalarType.INT64, 'int64'],
  [ScalarType.UINT64, 'uint64'],
  [ScalarType.INT32, 'int32'],
  [ScalarType.UINT32, 'uint32'],
]);

const plans: ReadonlyMap<string, MessagePlan> = compile([
  file_kv,
  file_auth,
  file_rpc,
  file_lock,
  file_election,
  file_command,
]);

/** The plan of a message of the API. */
export function planOf(typeName: string): MessagePlan {
  return must(plans.get(typeName), `${typeName} is no message of the API`);
}

function compile(files: readonly DescFile[]): Map<string, MessagePlan> {
  const messages = files.flatMap((file) => file.messages);
  const compiled = new Map<string, MutablePlan>();
  // Messages refer to each other, in circles too: the plans exist before they are filled.
  for (const { typeName } of messages) {
    compiled.set(typeName, { typeName, fields: [], oneofs: [], slotByName: new Map() });
  }
  for (const message of messages) fill(message, compiled);
  return compiled;
}

function fill(message: DescMessage, compiled: ReadonlyMap<string, MutablePlan>): void {
  const plan = must(compiled.get(message.typeName), 'every message has a plan');
  plan.oneofs.push(...message.oneofs.map((oneof) => oneof.localName));
  for (const field of message.fields) {
    plan.slotByName.set(field.jsonName, 2 * plan.fields.length + 1);
    plan.slotByName.set(field.name, 2 * plan.fields.length);
    plan.fields.push({
      number: field.number,
      name: field.name,
      jsonName: field.jsonName,
      localName: field.localName,
      repeated: field.fieldKind === 'list',
      packed: field.fieldKind === 'list' && field.packed,
      oneof: field.oneof?.localName ?? null,
      type: typeOf(field, compiled),
    });
  }
}

function typeOf(field: DescField, compiled: ReadonlyMap<string, MutablePlan>): FieldType {
  if (field.message) {
    return { kind: 'message', plan: must(compiled.get(field.message.typeName), field.name) };
  }
  if (field.enum) return enumOf(field.enum);
  return {
    kind: must(scalarKinds.get(field.scalar), `${field.name}: a scalar that etcd never uses`),
  };
}

function enumOf(description: DescEnum): FieldType {
  const values = description.values;
  const { package: packageName } = description.file.proto;
  const path = description.typeName.slice(packageName.length + 1);
  return {
    kind: 'enum',
    goType: `${packageName}.${path.replaceAll('.', '_')}`,
    numberByName: new Map(values.map(({ name, number }) => [name, number])),
    nameByNumber: new Map(values.map(({ name, number }) => [number, name])),
  };
}
