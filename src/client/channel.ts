import type { StreamMethods, UnaryMethods } from '../api/gen/messages.ts';

/** A message of which nothing but what matters need be said. */
export type Init<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer Item)[]
    ? readonly Init<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]?: Init<T[Name]> | undefined }
      : T;

export type UnaryPath = keyof UnaryMethods;
export type StreamPath = keyof StreamMethods;

/** What is said of a call beside its request. */
export interface CallContext {
  /** null: nobody's. */
  readonly token: string | null;
  /** 0: the server's own deadline only. */
  readonly timeoutMs: number;
  readonly requireLeader: boolean;
  /** Ends the call for its caller; what is under way may happen. */
  readonly signal: AbortSignal | null;
}

/** A way to one endpoint. Whatever is thrown is an EtcdError, or the signal's reason. */
export interface Channel {
  unary<P extends UnaryPath>(
    path: P,
    request: Init<UnaryMethods[P]['request']>,
    context: CallContext,
  ): Promise<UnaryMethods[P]['response']>;
  /** A stream that one request opens. Leaving it ends it. */
  stream<P extends StreamPath>(
    path: P,
    request: Init<StreamMethods[P]['request']>,
    context: CallContext,
  ): AsyncGenerator<StreamMethods[P]['response'], void, void>;
  close(): void;
  /** Whether the member at its end leads, as far as that is known. */
  readonly leads?: boolean | null;
}

/** How much longer than the server a caller waits for its own deadline: the server knows more. */
export const GRACE_MS = 1_000;

/** A way to servers that is no address: a service binding, or an object like it. */
export interface Fetcher {
  /** Makes a request. */
  fetch(input: string, init?: RequestInit): Promise<Response>;
}
