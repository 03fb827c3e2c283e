/** What must come about once the faults are lifted. */
export interface Goal {
  readonly invariant: string;
  /** What is missing still; null when it has come about. */
  readonly missing: () => string | null;
  /** Beyond what the cluster needs to recover. */
  readonly extraMs: number;
}

/** Clients of one kind. */
export interface Workload {
  start(): void;
  /** In order. */
  readonly goals: readonly Goal[];
}
