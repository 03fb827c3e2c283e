import { ERRORS } from '../api/error.ts';
import { messageOf } from './error.ts';

/** What a member says about itself, seen from outside. */
export type Probe =
  | {
      readonly state: 'ready';
      /** null: it is well, and tells no more to who has not logged in. */
      readonly memberId: string | null;
      readonly leaderId: string | null;
      /** Nobody is served, and nobody can log in: authentication is off. */
      readonly closed?: true;
      /** It does not vote yet. */
      readonly learner?: true;
    }
  /** It runs and will not serve: its peers refuse it, or it cannot use its data or settings. */
  | { readonly state: 'refused'; readonly reason: string }
  | { readonly state: 'waiting'; readonly reason: string };

/**
 * Reasons of a member that is well but cannot serve at the moment: etcd's own of /health, and a
 * member that starts. Whatever else it says is for the operator.
 */
const passingReasons = /^(RAFT NO LEADER|QGET ERROR|RANGE ERROR|ALARM)|waiting|starting|timed out/i;

/** Asks /health and /v3/maintenance/status once. Never throws. */
export async function probeMember(url: string, timeoutMs: number): Promise<Probe> {
  try {
    const health = await fetch(`${url}/health`, { signal: AbortSignal.timeout(timeoutMs) });
    const reason = reasonOf(await health.text());
    if (health.status === 503 && reason !== null && !passingReasons.test(reason)) {
      return { state: 'refused', reason };
    }
    return await probeStatus(url, health.ok, timeoutMs);
  } catch (error) {
    return { state: 'waiting', reason: connectionReason(error) };
  }
}

async function probeStatus(url: string, healthy: boolean, timeoutMs: number): Promise<Probe> {
  const response = await fetch(`${url}/v3/maintenance/status`, {
    method: 'POST',
    body: '{}',
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  // Authentication is on, or the member is closed until it is: health is told in any case.
  if (healthy && !response.ok) {
    const [, closed] = ERRORS.closed;
    const isClosed = stringField(parse(text), 'message') === closed;
    return { state: 'ready', memberId: null, leaderId: null, ...(isClosed && { closed: true }) };
  }
  if (!response.ok) {
    const reason = reasonOf(text);
    if (response.status === 503 && reason !== null && !passingReasons.test(reason)) {
      return { state: 'refused', reason };
    }
    return { state: 'waiting', reason: reason ?? `status ${response.status}` };
  }
  const status = field(parse(text), 'header');
  const memberId = stringField(status, 'member_id');
  const leaderId = stringField(parse(text), 'leader');
  if (memberId === null || leaderId === null || leaderId === '0') {
    return { state: 'waiting', reason: 'no leader' };
  }
  const learner = field(parse(text), 'isLearner') === true;
  return { state: 'ready', memberId, leaderId, ...(learner ? { learner } : {}) };
}

function reasonOf(text: string): string | null {
  return stringField(parse(text), 'reason');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Record<string, unknown>)[name];
}

function stringField(value: unknown, name: string): string | null {
  const found = field(value, name);
  return typeof found === 'string' && found !== '' ? found : null;
}

function connectionReason(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer';
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : messageOf(cause);
}
