import { limits } from '../../config.ts';
import { concatBytes, textOf } from '../../lib/bytes.ts';

/** The part of `fetch` that looking for founders needs; a binding to a service has it too. */
export type Ask = (url: string, init: RequestInit) => Promise<Response>;

/**
 * The body of an answer as text, up to a bound: whoever was asked is none of ours.
 * @throws Error when it is longer
 */
export async function boundedText({ body }: Response): Promise<string> {
  if (body === null) return '';
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return textOf(concatBytes(chunks));
    length += value.length;
    if (length > limits.bootstrapAnswerBytesMax) {
      await reader.cancel();
      throw new Error(`the answer has more than ${limits.bootstrapAnswerBytesMax} bytes`);
    }
    chunks.push(value);
  }
}

/** A field of a value that came as JSON; undefined where there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
