import type { CallContext, CallReply, MemberRpc } from '../api/call.ts';
import { decodeHints, encodeStreamCall } from '../api/stream-call.ts';
import { limits } from '../config.ts';
import { utf8 } from '../lib/bytes.ts';
import { methodAnswer } from './answer.ts';
import { deliver, destinationOf } from './delivery.ts';
import type { Site } from './site.ts';
import { openEndedHeaders } from './streams.ts';

/** White space, which JSON allows before and after a value. */
const BLANK_BYTE = 0x0a;

/** Blanks for four days, if one is sent every five seconds: longer nobody waits. */
const BLANKS_MAX = 64 * 1024;

/** Room for blanks and for an answer: twice the name that was in the request, and ids. */
function lengthFor(requestBody: string): number {
  return BLANKS_MAX + 2 * requestBody.length + 1_024;
}

/**
 * A unary method whose answer may be long in coming, such as that of a lock. Its client may hang up
 * meanwhile, and the member has to know: the platform says so by the request's signal, or notices
 * it when something is written. So after a while the head of a success is sent, and then blanks.
 */
export async function answerWhenDone(
  request: Request,
  site: Site,
  call: { readonly path: string; readonly body: string; readonly context: CallContext },
): Promise<Response> {
  const hungUp = new AbortController();
  request.signal.addEventListener('abort', () => hungUp.abort());
  const reply = deliver(site.cluster, destinationOf(request, false), (member) =>
    askWaiting(member, call, hungUp.signal),
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), limits.streamHeartbeatMs);
  });
  const first = await Promise.race([reply, late]).finally(() => clearTimeout(timer));
  if (first !== null) return methodAnswer(first.status, first.body);
  const lengthBytes = lengthFor(call.body);
  const { readable, writable } = new FixedLengthStream(lengthBytes);
  void writeWhenDone(writable.getWriter(), reply, hungUp, lengthBytes);
  return new Response(readable, { headers: openEndedHeaders() });
}

/** Asks so that the member notices when nobody wants to know any more. */
export async function askWaiting(
  member: MemberRpc,
  { path, body, context }: { path: string; body: string; context: CallContext },
  signal: AbortSignal,
): Promise<CallReply> {
  const call = encodeStreamCall(
    { delivery: 'wait', path, context },
    { method: 'POST', body, signal },
  );
  const response = await member.fetch(call);
  const hints = decodeHints(response.headers);
  return { status: response.status, body: await response.text(), ...hints };
}

/**
 * The body of an answer whose 200 has been sent before the outcome is known. Its length has been
 * told with the head, and is filled with blanks: so an error, which is told and then broken off,
 * leaves it incomplete, and no client can take it for a lock. (Without a length the end of a body
 * that is broken off looks like any other when it comes through the platform.)
 */
async function writeWhenDone(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  reply: Promise<CallReply>,
  hungUp: AbortController,
  lengthBytes: number,
): Promise<void> {
  let writtenBytes = 0;
  const write = (bytes: Uint8Array): Promise<void> => {
    writtenBytes += bytes.length;
    return writer.write(bytes).catch(() => hungUp.abort());
  };
  const beat = setInterval(() => {
    if (writtenBytes < BLANKS_MAX) void write(blanks(1));
    else hungUp.abort();
  }, limits.streamHeartbeatMs);
  void write(blanks(1));
  try {
    const { status, body } = await reply;
    clearInterval(beat);
    const answer = utf8(body);
    await write(answer);
    const isWhole = status === 200 && writtenBytes <= lengthBytes;
    if (!isWhole) return await writer.abort(new Error(body));
    await write(blanks(lengthBytes - writtenBytes));
    await writer.close();
  } catch (error) {
    clearInterval(beat);
    await writer.abort(error).catch(() => {});
  }
}

function blanks(count: number): Uint8Array {
  return new Uint8Array(count).fill(BLANK_BYTE);
}
