const settled = Promise.resolve();

/**
 * Calls back when what runs now is over, before any other event. A promise of the engine's own:
 * workerd's `queueMicrotask` makes a function of the platform for each call, and goes through the
 * platform into it and out again. The callback must not throw: nobody would hear of it.
 */
export function microtask(callback: () => void): void {
  void settled.then(callback);
}
