import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { zeroMessage } from './json-decode.ts';
import { type FieldPlan, type FieldType, type MessagePlan, planOf } from './plan.ts';

/** Random messages for property tests: every field of every kind, set and unset. */
export function anyMessage<Schema extends DescMessage>(
  schema: Schema,
): fc.Arbitrary<MessageShape<Schema>> {
  return anyOf(planOf(schema.typeName), 3) as fc.Arbitrary<unknown> as fc.Arbitrary<
    MessageShape<Schema>
  >;
}

type Properties = Record<string, unknown>;

/** @param depth of messages in messages */
function anyOf(plan: MessagePlan, depth: number): fc.Arbitrary<Properties> {
  const usable = plan.fields.filter((field) => depth > 0 || field.type.kind !== 'message');
  const values = usable.map((field) => fc.option(anyValue(field, depth), { nil: undefined }));
  return fc.tuple(...values).map((chosen) => {
    const message = zeroMessage(plan);
    usable.forEach((field, i) => {
      const value = chosen[i];
      if (value === undefined) return;
      if (field.oneof === null) message[field.localName] = value;
      else message[field.oneof] = { case: field.localName, value };
    });
    return message;
  });
}

function anyValue(field: FieldPlan, depth: number): fc.Arbitrary<unknown> {
  const one = anySingle(field.type, depth);
  return field.repeated ? fc.array(one, { maxLength: 3 }) : one;
}

function anySingle(type: FieldType, depth: number): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'message':
      return anyOf(type.plan, depth - 1);
    case 'bytes':
      return fc.uint8Array({ maxLength: 200 });
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 20 });
    case 'bool':
      return fc.boolean();
    case 'int64':
      return fc.oneof(
        fc.bigInt({ min: -300n, max: 300n }),
        fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      );
    case 'uint64':
      return fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt(0n, 2n ** 64n - 1n));
    case 'int32':
      return fc.integer();
    case 'uint32':
      return fc.integer({ min: 0, max: 2 ** 32 - 1 });
    case 'enum':
      return fc.constantFrom(...type.nameByNumber.keys());
  }
}
