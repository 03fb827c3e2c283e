import {
  decodeBinary,
  decodeBinaryPut,
  decodeBinaryRange,
  encodeBinary,
} from '../../api/binary.ts';
import type { CallContext } from '../../api/call.ts';
import { Code, EtcdError } from '../../api/error.ts';
import { messageTooLarge } from '../../api/error-body.ts';
import {
  type PutResponse,
  PutResponseSchema,
  type RangeRequest,
  RangeResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import type { Method } from '../../api/methods.ts';
import { limits } from '../../config.ts';
import { validatePut, validateRange } from '../../state/validate.ts';
import { checkReplyBytes } from '../bounds.ts';
import { checkServed } from '../routing.ts';
import type { Runtime } from '../runtime.ts';

/** Called once: with the response in protobuf's encoding, or with the error. */
export type OnResponse = (response: Uint8Array | null, error: EtcdError | null) => void;

/** What is counted of calls, and what becomes of defects. */
export interface CallObserver {
  /** @returns when, for `handled` */
  started(path: string): number;
  handled(path: string, code: Code, startMs: number): void;
  received(bytes: number): void;
  sent(bytes: number): void;
  unexpected(path: string, error: unknown): EtcdError;
}

/**
 * Calls of one request and one answer that come through a session. Puts and ranges come by the
 * hundred in a frame and are answered by the hundred in a turn, so they go by callbacks from one
 * end to the other; everything else by the services' promises.
 */
export class Calls {
  readonly #runtime: Runtime;
  readonly #observe: CallObserver;

  constructor(runtime: Runtime, observe: CallObserver) {
    this.#runtime = runtime;
    this.#observe = observe;
  }

  /** @param signal fires when nobody waits for the answer any more; null: the method is prompt */
  begin(
    method: Method,
    request: Uint8Array,
    context: CallContext,
    signal: AbortSignal | null,
    done: OnResponse,
  ): void {
    const { path } = method;
    const startMs = this.#observe.started(path);
    this.#observe.received(request.length);
    const finish: OnResponse = (response, error) => {
      this.#observe.handled(path, error?.code ?? Code.ok, startMs);
      this.#observe.sent(response?.length ?? 0);
      done(response, error);
    };
    try {
      if (request.length > limits.messageBytesMax) throw messageTooLarge(request.length);
      const { access } = this.#runtime.authentication;
      const admitted = access.admit(method.service, method.name, context);
      if (!(admitted instanceof Promise)) {
        return this.#serve(method, request, admitted, signal, finish);
      }
      admitted
        .then((own) => this.#serve(method, request, own, signal, finish))
        .catch((error: unknown) => finish(null, this.#known(path, error)));
    } catch (error) {
      finish(null, this.#known(path, error));
    }
  }

  /** @throws EtcdError instead of calling back */
  #serve(
    method: Method,
    request: Uint8Array,
    context: CallContext,
    signal: AbortSignal | null,
    finish: OnResponse,
  ): void {
    if (method.path === '/v3/kv/put') return this.#put(method, request, context, finish);
    if (method.path === '/v3/kv/range') return this.#range(method, request, context, finish);
    const runtime = this.#runtime;
    const route = runtime.routes.get(`${method.service}/${method.name}`);
    if (!route) throw new EtcdError(Code.unimplemented, `${method.path} is not served yet`);
    const message = decodeBinary(method.input, request);
    checkServed(runtime, method.path, message);
    route
      .serve(message as never, context, signal ?? undefined)
      .then((response) => bounded(encodeBinary(method.output, response)))
      .then((response) => finish(response, null))
      .catch((error: unknown) => finish(null, this.#known(method.path, error)));
  }

  #put({ path }: Method, bytes: Uint8Array, context: CallContext, finish: OnResponse): void {
    const runtime = this.#runtime;
    const value = decodeBinaryPut(bytes);
    checkServed(runtime, path, value);
    validatePut(value);
    runtime.requests.propose({ case: 'put', value }, context, ({ result, error }) => {
      if (error) return finish(null, error);
      const response = result.response as PutResponse;
      response.header = runtime.header(result.revision);
      finish(encodeBinary(PutResponseSchema, response), null);
    });
  }

  #range({ path }: Method, bytes: Uint8Array, context: CallContext, finish: OnResponse): void {
    const request = decodeBinaryRange(bytes);
    checkServed(this.#runtime, path, request);
    validateRange(request);
    if (request.serializable) return finish(this.#read(request, context), null);
    this.#runtime.requests.barrier(context, (late) => {
      if (late !== null) return finish(null, late);
      let response: Uint8Array;
      try {
        response = this.#read(request, context);
      } catch (error) {
        return finish(null, this.#known(path, error));
      }
      finish(response, null);
    });
  }

  /** @throws EtcdError */
  #read(request: RangeRequest, context: CallContext): Uint8Array {
    const runtime = this.#runtime;
    const response = runtime.machine.range(request, runtime.caller(context));
    response.header = runtime.header(runtime.machine.revision);
    return bounded(encodeBinary(RangeResponseSchema, response));
  }

  #known(path: string, error: unknown): EtcdError {
    return error instanceof EtcdError ? error : this.#observe.unexpected(path, error);
  }
}

/** @throws EtcdError when it is too large */
function bounded(response: Uint8Array): Uint8Array {
  checkReplyBytes(response);
  return response;
}
