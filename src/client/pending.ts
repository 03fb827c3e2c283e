/**
 * A call that is described step by step and made when it is awaited. Each await makes it once:
 * awaited twice it is made twice.
 */
export abstract class Pending<T> implements PromiseLike<T> {
  /** Makes the call. @throws EtcdError */
  abstract exec(): Promise<T>;

  // biome-ignore lint/suspicious/noThenProperty: this is what makes it awaitable
  then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.exec().then(fulfilled, rejected);
  }
}
