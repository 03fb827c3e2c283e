import { Code, EtcdError } from '../api/error.ts';
import { messageTooLarge } from '../api/error-body.ts';
import { concatBytes, textOf, utf8 } from '../lib/bytes.ts';

/**
 * How much of a body is taken in, and how long its sender may take. gRPC counts the decoded
 * message; a body that is cut off is never decoded, so the refusal names the body's own bytes as
 * far as they are known.
 */
export interface BodyBounds {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/**
 * The body as text, whatever its content type; bytes that are not UTF-8 become U+FFFD, which the
 * JSON decoder then sees as any other character.
 * @throws EtcdError when it is too large, too slow or cut short
 */
export async function readText(request: Request, bounds: BodyBounds): Promise<string> {
  const declared = declaredBytes(request);
  if (declared === null) return textOf(await readCounted(request, bounds));
  await refuseLarger(request, declared, bounds);
  // A declared length is a bound that HTTP itself keeps, so the runtime's own reader may be used:
  // it hands over one string, where a counting loop pays a turn for every chunk.
  const text = await beforeDeadline(request.text(), bounds.timeoutMs, () => {});
  return text.length === declared ? text : withMark(text, declared);
}

/**
 * The runtime's reader drops a mark of byte order in silence. etcd refuses one, and so does our
 * decoder when it sees it. What is no ASCII is rare in a body, because keys and values are base64.
 */
function withMark(text: string, bytes: number): string {
  return utf8(text).length < bytes ? `\ufeff${text}` : text;
}

/** The body's bytes, for a peer's request. @throws EtcdError as readText does */
export async function readBuffer(request: Request, bounds: BodyBounds): Promise<ArrayBuffer> {
  const declared = declaredBytes(request);
  if (declared === null) return (await readCounted(request, bounds)).slice().buffer;
  await refuseLarger(request, declared, bounds);
  return beforeDeadline(request.arrayBuffer(), bounds.timeoutMs, () => {});
}

/** A body of unknown length, counted while it arrives. */
async function readCounted(request: Request, bounds: BodyBounds): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0);
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  const cancel = (): void => void reader.cancel().catch(() => {});
  return beforeDeadline(collect(reader, bounds.bytesMax, cancel), bounds.timeoutMs, cancel);
}

async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  bytesMax: number,
  cancel: () => void,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatBytes(chunks);
    length += value.length;
    if (length > bytesMax) {
      cancel();
      throw messageTooLarge(length);
    }
    chunks.push(value);
  }
}

/** Content-Length, where there is one: a chunked or HTTP/2 body need not say. */
function declaredBytes(request: Request): number | null {
  const header = request.headers.get('content-length');
  return header === null ? null : Number(header);
}

async function refuseLarger(request: Request, bytes: number, bounds: BodyBounds): Promise<void> {
  if (bytes <= bounds.bytesMax) return;
  await request.body?.cancel();
  throw messageTooLarge(bytes);
}

/** The body, unless its sender stops sending: then a 408 (the code that etcd maps to it). */
async function beforeDeadline<T>(
  body: Promise<T>,
  timeoutMs: number,
  giveUp: () => void,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      giveUp();
      reject(new EtcdError(Code.canceled, `request body did not arrive within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([body, late]);
  } catch (error) {
    // What the runtime throws here is a connection that ended before the body did.
    throw error instanceof EtcdError
      ? error
      : new EtcdError(Code.invalidArgument, 'unexpected EOF');
  } finally {
    clearTimeout(timer);
  }
}
