import { defaults } from '../config.ts';
import {
  AUTO_COMPACTION_MODES,
  type AutoCompactionPlan,
  autoCompactionPlan,
} from './auto_compaction.ts';
import { quotaPlan } from './quota.ts';
import { SettingsError, type VariableReader } from './variables.ts';

/** The variables that are about keeping the database in order. */
export interface UpkeepEnv {
  readonly ETCD_QUOTA_BACKEND_BYTES?: string;
  readonly ETCD_AUTO_COMPACTION_MODE?: string;
  readonly ETCD_AUTO_COMPACTION_RETENTION?: string;
  /** etcd's name until 3.5, and from 3.6 on. */
  readonly ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME?: string;
  readonly ETCD_CORRUPT_CHECK_TIME?: string;
  readonly ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK?: string;
  /** Set by `npm run restore` alone, while it fills the databases of a new cluster. */
  readonly EDGETCD_RESTORE?: string;
}

export interface UpkeepSettings {
  /** The limit on the state's size that is in force. */
  readonly quotaBackendBytes: number;
  readonly quotaNotice: string | null;
  /** null: off. */
  readonly autoCompaction: AutoCompactionPlan | null;
  /** Time between two comparisons of all keys; 0: never. */
  readonly corruptCheckMs: number;
  readonly initialCorruptCheck: boolean;
  readonly restore: boolean;
}

/** @throws SettingsError */
export function upkeepSettings(read: VariableReader<keyof UpkeepEnv>): UpkeepSettings {
  const configured = read.number('ETCD_QUOTA_BACKEND_BYTES', 0, Number.MIN_SAFE_INTEGER);
  const quota = quotaPlan(configured, defaults.quotaBackendBytes);
  const older = read.durationMs('ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME', defaults.corruptCheckMs);
  return {
    quotaBackendBytes: quota.bytes,
    quotaNotice: quota.notice,
    autoCompaction: autoCompaction(read),
    corruptCheckMs: read.durationMs('ETCD_CORRUPT_CHECK_TIME', older),
    initialCorruptCheck: read.flag('ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK', false),
    restore: read.flag('EDGETCD_RESTORE', false),
  };
}

function autoCompaction(read: VariableReader<keyof UpkeepEnv>): AutoCompactionPlan | null {
  const mode = read.choice('ETCD_AUTO_COMPACTION_MODE', AUTO_COMPACTION_MODES, 'periodic');
  const retention = read.text('ETCD_AUTO_COMPACTION_RETENTION') ?? '0';
  const plan = autoCompactionPlan(mode, retention);
  if (plan !== undefined) return plan;
  const wanted = mode === 'periodic' ? 'a duration or a number of hours' : 'a number of revisions';
  throw new SettingsError(
    `ETCD_AUTO_COMPACTION_RETENTION is not ${wanted}, as the mode ${mode} needs: "${retention}"`,
  );
}
