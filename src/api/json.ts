import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf';
import { JsonDecoder, zeroMessage } from './json-decode.ts';
import { decodeHot } from './json-decode-hot.ts';
import { encodeMessage } from './json-encode.ts';
import { encodeHot } from './json-encode-hot.ts';
import { scanValue, skipBlanks } from './json-scan.ts';
import { planOf } from './plan.ts';

/**
 * A request's message from its JSON body. An empty body is an empty message, and what follows the
 * first value is not looked at.
 * @throws EtcdError InvalidArgument, with the text of etcd 3.5's gateway
 */
export function decodeJson<Schema extends DescMessage>(
  schema: Schema,
  text: string,
): MessageShape<Schema> {
  const hot = decodeHot(schema.typeName, text);
  if (hot !== null) return hot as Message as MessageShape<Schema>;
  return decodeAny(schema, text);
}

/** The decoder that knows every message and every form, to which the fast ones are held. */
export function decodeAny<Schema extends DescMessage>(
  schema: Schema,
  text: string,
): MessageShape<Schema> {
  const next = decodeJsonNext(schema, text, 0);
  return next?.message ?? shapeOf<Schema>(zeroMessage(planOf(schema.typeName)));
}

export interface NextMessage<Schema extends DescMessage> {
  readonly message: MessageShape<Schema>;
  /** The offset behind the message. */
  readonly end: number;
}

/**
 * The message that begins at `offset` or behind white space there: the body of a stream holds one
 * after the other. Null when only white space is left.
 * @throws EtcdError as {@link decodeJson}
 */
export function decodeJsonNext<Schema extends DescMessage>(
  schema: Schema,
  text: string,
  offset: number,
): NextMessage<Schema> | null {
  const start = skipBlanks(text, offset);
  if (start === text.length) return null;
  const { end, ends } = scanValue(text, start, 'unexpected EOF');
  const message = new JsonDecoder(text, ends).message(planOf(schema.typeName), { start, end });
  return { message: shapeOf<Schema>(message), end };
}

/** A message as the gateway answers it, without a newline. */
export function encodeJson<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): string {
  return encodeHot(message) ?? encodeAny(schema, message);
}

/** The encoder that knows every message, to which the fast ones are held. */
export function encodeAny<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): string {
  return encodeMessage(planOf(schema.typeName), message as unknown as Record<string, unknown>);
}

/** The decoder sets every field of the plan, which is made from the schema. */
function shapeOf<Schema extends DescMessage>(
  message: Readonly<Record<string, unknown>>,
): MessageShape<Schema> {
  return message as unknown as MessageShape<Schema>;
}
