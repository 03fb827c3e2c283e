import { describe, expect, it } from 'vitest';
import { defaults, limits } from '../config.ts';
import { type UpkeepEnv, upkeepSettings } from './upkeep_settings.ts';
import { VariableReader } from './variables.ts';

const settings = (env: UpkeepEnv) => upkeepSettings(new VariableReader<keyof UpkeepEnv>(env));

describe('settings of upkeep', () => {
  it("are etcd's defaults, but that members are compared", () => {
    expect(settings({})).toEqual({
      quotaBackendBytes: 2 * 1024 ** 3,
      quotaNotice: null,
      autoCompaction: null,
      corruptCheckMs: defaults.corruptCheckMs,
      initialCorruptCheck: false,
      restore: false,
    });
  });

  it('take a quota of none for the most that the platform allows', () => {
    const { quotaBackendBytes, quotaNotice } = settings({ ETCD_QUOTA_BACKEND_BYTES: '-1' });
    expect(quotaBackendBytes).toBe(limits.stateBytesMax);
    expect(quotaNotice).toMatch(/no quota is set/);
    expect(settings({ ETCD_QUOTA_BACKEND_BYTES: '0' }).quotaNotice).toBeNull();
  });

  it('know the name of the corruption check before and after 3.6', () => {
    const older = { ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME: '5m' };
    expect(settings(older).corruptCheckMs).toBe(300_000);
    expect(settings({ ...older, ETCD_CORRUPT_CHECK_TIME: '0' }).corruptCheckMs).toBe(0);
  });

  it.each([
    [{ ETCD_AUTO_COMPACTION_RETENTION: 'soon' }, /a duration or a number of hours/],
    [
      { ETCD_AUTO_COMPACTION_MODE: 'revision', ETCD_AUTO_COMPACTION_RETENTION: '1h' },
      /a number of revisions, as the mode revision needs: "1h"/,
    ],
    [{ ETCD_AUTO_COMPACTION_MODE: 'often' }, /not one of periodic, revision/],
    [{ ETCD_QUOTA_BACKEND_BYTES: '8GiB' }, /is not a number/],
  ] as const)('name what is wrong in %o', (env, message) => {
    expect(() => settings(env)).toThrow(message);
  });
});
