import { describe, expect, it } from 'vitest';
import { HEALTH_PATHS, type HealthProbes, inspectHealth } from './health.ts';

interface Condition {
  readonly alarms?: readonly ('NOSPACE' | 'CORRUPT')[];
  readonly hasLeader?: boolean;
  readonly isLearner?: boolean;
  readonly serializable?: string;
  readonly linearizable?: string;
}

/** A member in that condition. What it was asked is noted: nothing more than needed may be. */
function member(condition: Condition, log: string[] = []): HealthProbes {
  return {
    alarms: () => condition.alarms ?? [],
    hasLeader: () => condition.hasLeader ?? true,
    isLearner: () => condition.isLearner ?? false,
    read: async (serializable) => {
      log.push(serializable ? 'serializable' : 'linearizable');
      return (serializable ? condition.serializable : condition.linearizable) ?? null;
    },
    checked: (type, check, ok) => void log.push(`${type} ${check} ${ok}`),
  };
}

async function ask(url: string, condition: Condition, log?: string[]) {
  const [path = '', query = ''] = url.split('?');
  const reply = await inspectHealth(path, query, member(condition, log));
  expect(reply?.contentType).toBe('text/plain; charset=utf-8');
  return [reply?.status, reply?.body];
}

const WELL = [200, '{"health":"true","reason":""}'];
const ill = (reason: string) => [503, `{"health":"false","reason":"${reason}"}\n`];

describe('/health', () => {
  it.each<[string, Condition, unknown]>([
    ['/health', {}, WELL],
    ['/health', { isLearner: true }, WELL],
    ['/health', { alarms: ['NOSPACE'] }, ill('ALARM NOSPACE')],
    ['/health', { alarms: ['CORRUPT', 'NOSPACE'], hasLeader: false }, ill('ALARM CORRUPT')],
    ['/health?exclude=NOSPACE', { alarms: ['NOSPACE'] }, WELL],
    ['/health?exclude=NOSPACE', { alarms: ['NOSPACE', 'CORRUPT'] }, ill('ALARM CORRUPT')],
    ['/health?exclude=NOSPACE&exclude=CORRUPT', { alarms: ['NOSPACE', 'CORRUPT'] }, WELL],
    ['/health?exclude=', { alarms: ['NOSPACE'] }, ill('ALARM NOSPACE')],
    ['/health', { hasLeader: false }, ill('RAFT NO LEADER')],
    ['/health?serializable=true', { hasLeader: false, linearizable: 'x' }, WELL],
    ['/health?serializable=1', { hasLeader: false }, ill('RAFT NO LEADER')],
    ['/health?serializable=true', { serializable: 'broken' }, ill('RANGE ERROR:broken')],
    [
      '/health',
      { linearizable: 'etcdserver: request timed out' },
      ill('RANGE ERROR:etcdserver: request timed out'),
    ],
  ])('%s of %j', async (url, condition, wanted) => {
    expect(await ask(url, condition)).toEqual(wanted);
  });

  it('reads only once nothing else is wrong, and only what was asked for', async () => {
    const log: string[] = [];
    await ask('/health', { alarms: ['NOSPACE'] }, log);
    await ask('/health', { hasLeader: false }, log);
    await ask('/health', {}, log);
    await ask('/health?serializable=true', {}, log);
    expect(log).toEqual(['linearizable', 'serializable']);
  });
});

describe('/livez and /readyz', () => {
  const cut = { linearizable: 'etcdserver: leader changed' };
  const ready = (lines: string) => [503, `${lines}\n\n`];

  it.each<[string, Condition, unknown]>([
    ['/livez', {}, [200, 'ok\n']],
    ['/livez', cut, [200, 'ok\n']],
    ['/livez', { alarms: ['NOSPACE', 'CORRUPT'] }, [200, 'ok\n']],
    ['/livez?verbose', {}, [200, '[+]serializable_read ok\nok\n']],
    ['/livez', { serializable: 'x' }, ready('[-]serializable_read failed: x')],
    ['/livez/serializable_read', {}, [200, 'ok\n']],
    ['/readyz', {}, [200, 'ok\n']],
    ['/readyz', { alarms: ['NOSPACE'] }, [200, 'ok\n']],
    [
      '/readyz?verbose',
      {},
      [
        200,
        '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n',
      ],
    ],
    [
      '/readyz',
      cut,
      ready(
        '[+]data_corruption ok\n[+]serializable_read ok\n' +
          '[-]linearizable_read failed: etcdserver: leader changed\n[+]non_learner ok',
      ),
    ],
    ['/readyz?exclude=linearizable_read', cut, [200, 'ok\n']],
    ['/readyz?exclude=linearizable_read&exclude=nope', cut, [200, 'ok\n']],
    [
      '/readyz/linearizable_read',
      cut,
      ready('[-]linearizable_read failed: etcdserver: leader changed'),
    ],
    ['/readyz/serializable_read', cut, [200, 'ok\n']],
    [
      '/readyz/data_corruption',
      { alarms: ['CORRUPT'] },
      ready('[-]data_corruption failed: alarm activated: CORRUPT'),
    ],
    [
      '/readyz/non_learner',
      { isLearner: true },
      ready('[-]non_learner failed: not supported for learner'),
    ],
  ])('%s of %j', async (url, condition, wanted) => {
    expect(await ask(url, condition)).toEqual(wanted);
  });

  it('reports its checks', async () => {
    const log: string[] = [];
    await ask('/readyz/linearizable_read', cut, log);
    expect(log).toEqual(['linearizable', 'readyz linearizable_read false']);
  });
});

it('answers its own paths and no other', async () => {
  for (const path of HEALTH_PATHS) expect(await inspectHealth(path, '', member({}))).not.toBeNull();
  for (const path of ['/healthz', '/readyz/nope', '/livez/linearizable_read', '/readyz/']) {
    expect(await inspectHealth(path, '', member({}))).toBeNull();
  }
});
