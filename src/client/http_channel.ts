import type { StreamMethods, UnaryMethods } from '../api/gen/messages.ts';
import { NOTHING_DONE } from '../api/stream-call.ts';
import {
  type CallContext,
  type Channel,
  type Fetcher,
  GRACE_MS,
  type Init,
  type StreamPath,
  type UnaryPath,
} from './channel.ts';
import { asEtcdError, connectionLost, deadlineExceeded, EtcdError, errorOf } from './error.ts';
import { encodeJson, fromJson } from './json.ts';
import { readLines } from './lines.ts';
import { type Fields, requestSchema, responseSchema } from './schema.ts';

/** The JSON gateway of one endpoint, by fetch: every call is a request. */
export class HttpChannel implements Channel {
  readonly #url: string;
  readonly #fetcher: Fetcher;

  /** @param url without a slash at the end */
  constructor(url: string, fetcher: Fetcher) {
    this.#url = url;
    this.#fetcher = fetcher;
  }

  async unary<P extends UnaryPath>(
    path: P,
    request: Init<UnaryMethods[P]['request']>,
    context: CallContext,
  ): Promise<UnaryMethods[P]['response']> {
    const hangUp = new HangUp(context.signal, context.timeoutMs);
    try {
      const response = await this.#post(path, request as Fields, context, hangUp.signal);
      const text = await response.text();
      if (!response.ok) throw refusal(response, text);
      return decoded(path, parsed(text)) as UnaryMethods[P]['response'];
    } catch (error) {
      throw lost(error, hangUp.signal);
    } finally {
      hangUp.done();
    }
  }

  async *stream<P extends StreamPath>(
    path: P,
    request: Init<StreamMethods[P]['request']>,
    context: CallContext,
  ): AsyncGenerator<StreamMethods[P]['response'], void, void> {
    const hangUp = new HangUp(context.signal, 0);
    try {
      const response = await this.#post(path, request as Fields, context, hangUp.signal);
      if (!response.ok || response.body === null) throw refusal(response, await response.text());
      for await (const line of readLines(response.body)) {
        const { result, error } = parsed(line) as StreamLine;
        if (error) throw errorOf(error.grpc_code, error.message);
        yield decoded(path, result) as StreamMethods[P]['response'];
      }
    } catch (error) {
      throw lost(error, hangUp.signal);
    } finally {
      hangUp.now();
    }
  }

  close(): void {}

  #post(
    path: UnaryPath | StreamPath,
    request: Fields,
    { token, timeoutMs, requireLeader }: CallContext,
    signal: AbortSignal,
  ): Promise<Response> {
    const headers: Record<string, string> = {};
    if (token !== null) headers['authorization'] = token;
    if (timeoutMs > 0) headers['grpc-timeout'] = `${Math.ceil(timeoutMs)}m`;
    if (requireLeader) headers['grpc-metadata-hasleader'] = 'true';
    const body = encodeJson(requestSchema(path), request);
    return this.#fetcher.fetch(this.#url + path, { method: 'POST', headers, body, signal });
  }
}

/** Ends a request: for its caller, for its deadline, or because it is over. */
class HangUp {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | null;
  readonly #abort = (): void => this.#controller.abort(this.#caller?.reason);
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(caller: AbortSignal | null, timeoutMs: number) {
    this.#caller = caller;
    if (caller?.aborted) this.#abort();
    else caller?.addEventListener('abort', this.#abort);
    if (timeoutMs === 0) return;
    const late = () => this.#controller.abort(deadlineExceeded());
    this.#timer = setTimeout(late, timeoutMs + GRACE_MS);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  now(): void {
    this.done();
    this.#controller.abort();
  }

  done(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#abort);
  }
}

interface StreamLine {
  readonly result?: unknown;
  readonly error?: { readonly grpc_code: number; readonly message: string };
}

function decoded(path: UnaryPath | StreamPath, json: unknown): Fields {
  return fromJson(responseSchema(path), json);
}

/** @throws EtcdError when it is no JSON: something else than a server has answered */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw connectionLost(true, cause);
  }
}

/** An answer that is an error: of a call, of a stream, or of something on the way. */
function refusal(response: Response, text: string): EtcdError {
  const refused = response.headers.get(NOTHING_DONE[0]) !== null;
  try {
    const body = JSON.parse(text) as {
      code?: number;
      message?: string;
      error?: StreamLine['error'];
    };
    const told = typeof body.error === 'object' ? body.error : undefined;
    return errorOf(
      told?.grpc_code ?? Number(body.code),
      told?.message ?? String(body.message),
      refused,
    );
  } catch {
    const cause = new Error(`${response.status} ${text.slice(0, 200)}`);
    return connectionLost(true, cause);
  }
}

/** What fetch threw: the signal's reason as it is, everything else as a lost connection. */
function lost(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof EtcdError) return error;
  if (signal.aborted) return signal.reason;
  return isRefused(error) ? connectionLost(false, error) : connectionLost(true, asEtcdError(error));
}

/** Where the runtime says so: nobody listened, and so nothing was sent. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return (
    typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ECONNREFUSED'
  );
}
