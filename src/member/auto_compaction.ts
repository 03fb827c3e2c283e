import { parseDuration } from '../lib/duration.ts';

const HOUR_MS = 3_600_000;
const REVISION_MODE_INTERVAL_MS = 5 * 60_000;
/** etcd looks ten times in a window, a window being at most an hour. */
const LOOKS_PER_WINDOW = 10;

/** What ETCD_AUTO_COMPACTION_MODE and _RETENTION say; null: nothing is compacted by itself. */
export type AutoCompactionPlan =
  | { readonly mode: 'periodic'; readonly retentionMs: number }
  | { readonly mode: 'revision'; readonly retention: number };

export const AUTO_COMPACTION_MODES = ['periodic', 'revision'] as const;

/**
 * `1h`, `30m`, a bare number of hours; or a number of revisions. "0" is off, as in etcd.
 * Undefined: it is neither.
 */
export function autoCompactionPlan(
  mode: (typeof AUTO_COMPACTION_MODES)[number],
  retention: string,
): AutoCompactionPlan | null | undefined {
  const bare = /^\d+$/.test(retention) ? Number(retention) : null;
  if (bare === 0) return null;
  if (mode === 'revision') return bare === null ? undefined : { mode, retention: bare };
  const retentionMs = bare === null ? parseDuration(retention) : bare * HOUR_MS;
  if (retentionMs === null || retentionMs < 0) return undefined;
  return retentionMs === 0 ? null : { mode, retentionMs };
}

/** When to compact, and to which revision: etcd's rules, as a function of time and revisions. */
export interface CompactionSchedule {
  /** How often to look. */
  readonly intervalMs: number;
  /**
   * A look: the revision that is due, or null. Every member looks, so that one that becomes the
   * leader knows the revisions of the time before.
   */
  look(nowMs: number, revision: number, leading: boolean): number | null;
  /** What was due has been done, by whomever. */
  compacted(nowMs: number, revision: number): void;
}

export function compactionSchedule(
  plan: AutoCompactionPlan,
  nowMs: number,
  revision: number,
): CompactionSchedule {
  return plan.mode === 'periodic'
    ? new PeriodicSchedule(plan.retentionMs, nowMs, revision)
    : new RevisionSchedule(plan.retention);
}

/**
 * Keeps the versions of the last `retentionMs`: revisions are sampled ten times in each hour (or in
 * the retention, when that is shorter), and the oldest sample of the window is compacted once an
 * hour (or once in the retention).
 */
class PeriodicSchedule implements CompactionSchedule {
  readonly intervalMs: number;
  readonly #windowMs: number;
  readonly #samplesMax: number;
  #samples: number[];
  #lastLookMs: number;
  #waitMs: number;
  #lastMs: number;
  #lastRevision = 0;

  constructor(retentionMs: number, nowMs: number, revision: number) {
    this.#windowMs = Math.min(retentionMs, HOUR_MS);
    this.intervalMs = this.#windowMs / LOOKS_PER_WINDOW;
    this.#samplesMax = Math.floor(retentionMs / this.intervalMs) + 1;
    this.#samples = [revision];
    this.#lastLookMs = nowMs;
    // The first time the whole retention has to pass.
    this.#waitMs = retentionMs;
    this.#lastMs = nowMs;
  }

  look(nowMs: number, revision: number, leading: boolean): number | null {
    this.#catchUp(nowMs);
    const [oldest = 0] = this.#samples;
    this.#samples.push(revision);
    this.#samples = this.#samples.slice(-this.#samplesMax);
    if (!leading || nowMs - this.#lastMs < this.#waitMs || oldest === this.#lastRevision) {
      return null;
    }
    this.#waitMs = this.#windowMs;
    return oldest;
  }

  compacted(nowMs: number, revision: number): void {
    this.#lastMs = nowMs;
    this.#lastRevision = revision;
  }

  /** While the cluster slept nobody looked, and nothing had changed since the last look. */
  #catchUp(nowMs: number): void {
    const missed = Math.floor((nowMs - this.#lastLookMs) / this.intervalMs) - 1;
    this.#lastLookMs = nowMs;
    const last = this.#samples.at(-1);
    if (missed <= 0 || last === undefined) return;
    const repeated = new Array<number>(Math.min(missed, this.#samplesMax)).fill(last);
    this.#samples = [...this.#samples, ...repeated].slice(-this.#samplesMax);
  }
}

/** Keeps the last `retention` revisions, looking every five minutes. */
class RevisionSchedule implements CompactionSchedule {
  readonly intervalMs = REVISION_MODE_INTERVAL_MS;
  readonly #retention: number;
  #lastRevision = 0;

  constructor(retention: number) {
    this.#retention = retention;
  }

  look(_nowMs: number, revision: number, leading: boolean): number | null {
    const due = revision - this.#retention;
    return leading && due > 0 && due !== this.#lastRevision ? due : null;
  }

  compacted(_nowMs: number, revision: number): void {
    this.#lastRevision = revision;
  }
}

export interface AutoCompactorHost {
  nowMs(): number;
  revision(): number;
  leading(): boolean;
  /** The cluster has something to do, or does not know yet that it has not. */
  awake(): boolean;
  /** Resolves when the revision is compacted, by this or by an earlier command. */
  compact(revision: number): Promise<void>;
  setTimer(callback: () => void, ms: number): void;
  log(level: 'info' | 'warn', message: string): void;
}

/**
 * Compacts by itself: the leader does, and a member that takes over goes on with its own samples.
 * After the last command there is one more look; a cluster that sleeps by then has no timer for it.
 */
export class AutoCompactor {
  readonly #host: AutoCompactorHost;
  readonly #schedule: CompactionSchedule;
  #armed = false;

  constructor(host: AutoCompactorHost, plan: AutoCompactionPlan) {
    this.#host = host;
    this.#schedule = compactionSchedule(plan, host.nowMs(), host.revision());
  }

  /** To be called at the start, and when something was applied. */
  wake(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#host.setTimer(() => void this.#look(), this.#schedule.intervalMs);
  }

  async #look(): Promise<void> {
    const host = this.#host;
    const due = this.#schedule.look(host.nowMs(), host.revision(), host.leading());
    if (due !== null) {
      try {
        await host.compact(due);
        host.log('info', `compacted revision ${due} by itself`);
        this.#schedule.compacted(host.nowMs(), due);
      } catch (error) {
        // The next look tries again.
        host.log('warn', `cannot compact revision ${due} by itself: ${String(error)}`);
      }
    }
    this.#armed = false;
    if (host.awake()) this.wake();
  }
}
