import type { PlainReply } from '../api/call.ts';

/**
 * What a member's health is judged by. No probe rejects; a failed read says why, in etcd's words.
 */
export interface HealthProbes {
  /** The alarms that are active anywhere in the cluster. */
  alarms(): readonly ('NOSPACE' | 'CORRUPT')[];
  hasLeader(): boolean;
  isLearner(): boolean;
  /** Reads one key, with the deadline of any request. null: it went well. */
  read(serializable: boolean): Promise<string | null>;
  /** Told of every check of a probe, for etcd_server_healthcheck. */
  checked(type: 'livez' | 'readyz', check: string, ok: boolean): void;
}

/** One check of a probe: null when it holds, otherwise why not. */
type Check = (probes: HealthProbes) => Promise<string | null>;

const serializableRead: Check = (probes) => probes.read(true);
const linearizableRead: Check = (probes) => probes.read(false);
const dataCorruption: Check = async (probes) =>
  probes.alarms().includes('CORRUPT') ? 'alarm activated: CORRUPT' : null;
const nonLearner: Check = async (probes) =>
  probes.isLearner() ? 'not supported for learner' : null;

/** livez asks whether a restart would help, readyz whether clients should be sent here. */
const CHECKS: Readonly<Record<'livez' | 'readyz', Readonly<Record<string, Check>>>> = {
  livez: { serializable_read: serializableRead },
  readyz: {
    data_corruption: dataCorruption,
    serializable_read: serializableRead,
    linearizable_read: linearizableRead,
    non_learner: nonLearner,
  },
};

const TEXT = 'text/plain; charset=utf-8';

/**
 * Every path that {@link inspectHealth} answers: "/health", "/readyz", "/readyz/linearizable_read"
 * …
 */
export const HEALTH_PATHS: readonly string[] = [
  '/health',
  ...Object.entries(CHECKS).flatMap(([type, checks]) => [
    `/${type}`,
    ...Object.keys(checks).map((check) => `/${type}/${check}`),
  ]),
];

/** Whether it is one of the probes of Kubernetes and not /health. */
export function isProbePath(path: string): boolean {
  return path.startsWith('/livez') || path.startsWith('/readyz');
}

/** Answers one of {@link HEALTH_PATHS}; null for any other path. `query` comes without "?". */
export async function inspectHealth(
  path: string,
  query: string,
  probes: HealthProbes,
): Promise<PlainReply | null> {
  if (!HEALTH_PATHS.includes(path)) return null;
  const parameters = new URLSearchParams(query);
  if (path === '/health') return healthReply(await illness(parameters, probes));
  const [, type, only] = path.split('/');
  return probe(type === 'livez' ? 'livez' : 'readyz', only, parameters, probes);
}

/** The answer of /health: its reason is empty when all is well. */
export function healthReply(reason: string | null): PlainReply {
  if (reason === null)
    return { status: 200, contentType: TEXT, body: '{"health":"true","reason":""}' };
  const body = `${JSON.stringify({ health: 'false', reason })}\n`;
  return { status: 503, contentType: TEXT, body };
}

/**
 * In etcd's order: alarms, then the leader, then a read as root. A serializable check asks for
 * this member alone and does not care for the leader.
 */
async function illness(query: URLSearchParams, probes: HealthProbes): Promise<string | null> {
  const excluded = query.getAll('exclude');
  const alarm = probes.alarms().find((name) => !excluded.includes(name));
  if (alarm !== undefined) return `ALARM ${alarm}`;
  const serializable = query.get('serializable') === 'true';
  if (!serializable && !probes.hasLeader()) return 'RAFT NO LEADER';
  const error = await probes.read(serializable);
  return error === null ? null : `RANGE ERROR:${error}`;
}

async function probe(
  type: 'livez' | 'readyz',
  only: string | undefined,
  query: URLSearchParams,
  probes: HealthProbes,
): Promise<PlainReply> {
  const excluded = query.getAll('exclude');
  const wanted = Object.entries(CHECKS[type]).filter(
    ([name]) => (only === undefined || name === only) && !excluded.includes(name),
  );
  const results = await Promise.all(
    wanted.map(async ([name, check]) => {
      const error = await check(probes);
      probes.checked(type, name, error === null);
      return { line: error === null ? `[+]${name} ok\n` : `[-]${name} failed: ${error}\n`, error };
    }),
  );
  const lines = results.map(({ line }) => line).join('');
  // The second newline is Go's, which ends every error with one.
  const failed = results.some(({ error }) => error !== null);
  if (failed) return { status: 503, contentType: TEXT, body: `${lines}\n` };
  return { status: 200, contentType: TEXT, body: query.has('verbose') ? `${lines}ok\n` : 'ok\n' };
}
