import type { Runtime } from './runtime.ts';

/** Whether the member takes part, and if not, why, in words for its operator. */
export type Participation =
  | { readonly kind: 'starting'; readonly reason: string }
  | { readonly kind: 'running'; readonly runtime: Runtime }
  | { readonly kind: 'refused'; readonly reason: string }
  /** Removed, but its peers may still need its vote. */
  | { readonly kind: 'left'; readonly reason: string; readonly runtime: Runtime };
