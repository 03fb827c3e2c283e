import type { CallContext } from '../api/call.ts';
import type { EtcdError } from '../api/error.ts';
import type { Method } from '../api/methods.ts';

/** What comes back of a call. Nothing does after its end, nor once it was cancelled. */
export interface CallListener {
  /** A response message in protobuf's encoding, which the listener may keep. */
  message(bytes: Uint8Array): void;
  /** @param error null: it has ended well */
  end(error: EtcdError | null): void;
}

/** A call under way. */
export interface UpstreamCall {
  /** A request message in protobuf's encoding. A unary call takes one. */
  send(bytes: Uint8Array): void;
  /** No request follows. */
  finish(): void;
  /** Nobody wants to know any more. What is under way may happen all the same. */
  cancel(): void;
  /** Messages are held back until {@link resume}: the client reads more slowly than they come. */
  pause(): void;
  resume(): void;
}

/** The way to a cluster, as the bridge needs it. */
export interface Upstream {
  /** The listener hears nothing before this has returned. */
  open(method: Method, context: CallContext, listener: CallListener): UpstreamCall;
  /** Ends every call. */
  close(): void;
}
