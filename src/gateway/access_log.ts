import type { GatewayEnv } from './env.ts';
import { requestPath } from './path.ts';
import { REQUEST_ID_HEADER } from './request_id.ts';

/** What whoever waits for a member to start asks again and again. */
const STATUS_PATH = '/v3/maintenance/status';

/**
 * Whether an answer gets a line. EDGETCD_ACCESS_LOG says which do: none, those of the API that
 * failed on our side (the default), or all. Probes fail while a member starts: that is their job.
 */
export function isLogged(env: GatewayEnv, request: Request, status: number): boolean {
  if (env.EDGETCD_ACCESS_LOG === 'all') return true;
  if (status < 500 || env.EDGETCD_ACCESS_LOG === 'off') return false;
  const path = requestPath(request);
  return path.startsWith('/v3/') && path !== STATUS_PATH;
}

/**
 * Writes the line of one request once its answer has gone out, or its client has hung up: a line of
 * JSON, with neither token nor query nor keys.
 */
export function logged(
  request: Request,
  response: Response,
  requestId: string,
  startMs: number,
): Response {
  const { status } = response;
  response.headers.set(REQUEST_ID_HEADER, requestId);
  const line = (bytes: number): void => {
    const ms = Date.now() - startMs;
    const { method } = request;
    const path = requestPath(request);
    const entry = { msg: 'request', method, path, status, ms, bytes, request_id: requestId };
    if (status >= 500) console.warn(JSON.stringify(entry));
    else console.log(JSON.stringify(entry));
  };
  const { body, webSocket } = response;
  if (body === null || webSocket) {
    line(0);
    return response;
  }
  return new Response(counted(body, line), { status, headers: response.headers });
}

/** The same bytes; `ended` is told their number when there are no more, or nobody wants them. */
function counted(
  body: ReadableStream<Uint8Array>,
  ended: (bytes: number) => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let bytes = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) {
            bytes += value.byteLength;
            return controller.enqueue(value);
          }
          controller.close();
        } catch (error) {
          controller.error(error);
        }
        ended(bytes);
      },
      cancel(reason) {
        ended(bytes);
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
