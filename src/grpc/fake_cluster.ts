import type { CallContext } from '../api/call.ts';
import type { EtcdError } from '../api/error.ts';
import type { Method } from '../api/methods.ts';
import { must } from '../lib/assert.ts';
import type { CallListener, Upstream, UpstreamCall } from './upstream.ts';

/** A call of any method at a cluster that a test plays. */
export class FakeCall implements UpstreamCall {
  readonly method: Method;
  readonly context: CallContext;
  readonly requests: Uint8Array[] = [];
  finished = false;
  cancelled = false;
  paused = false;
  readonly #listener: CallListener;

  constructor(method: Method, context: CallContext, listener: CallListener) {
    this.method = method;
    this.context = context;
    this.#listener = listener;
  }

  send(bytes: Uint8Array): void {
    this.requests.push(bytes);
  }

  finish(): void {
    this.finished = true;
  }

  cancel(): void {
    this.cancelled = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  message(bytes: Uint8Array): void {
    this.#listener.message(bytes);
  }

  end(error: EtcdError | null): void {
    this.#listener.end(error);
  }
}

/** A cluster that notes what it is asked, and answers when a test says so. */
export class FakeCluster implements Upstream {
  readonly calls: FakeCall[] = [];

  open(method: Method, context: CallContext, listener: CallListener): UpstreamCall {
    const call = new FakeCall(method, context, listener);
    this.calls.push(call);
    return call;
  }

  close(): void {}

  /** The last one that was opened. */
  get last(): FakeCall {
    return must(this.calls.at(-1), 'a call was opened');
  }
}
