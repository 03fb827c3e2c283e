import { type Event, Event_EventType } from '../api/gen/kv_pb.ts';
import type { Mvcc } from './mvcc.ts';
import { decodeRecord, toKeyValue, type Version } from './version.ts';

/** The events of one main revision, in order. */
export interface RevisionEvents {
  readonly revision: number;
  readonly events: readonly Event[];
}

/**
 * @param replaced the live version before; null when the key was created, or when it is not known
 */
export function eventOf(version: Version, replaced: Version | null): Event {
  const type = version.deleted ? Event_EventType.DELETE : Event_EventType.PUT;
  const kv = toKeyValue(version);
  if (replaced === null) return { $typeName: 'mvccpb.Event', type, kv };
  return { $typeName: 'mvccpb.Event', type, kv, prevKv: toKeyValue(replaced) };
}

/** How much of history one call replays: whole revisions, at least one. */
export interface ReplayLimits {
  readonly revisionsMax: number;
  readonly bytesMax: number;
}

/**
 * Events of whole revisions from the given one on, in order; an empty list at the end of history.
 * The caller makes sure that the revision is not compacted.
 */
export function replay(
  mvcc: Mvcc,
  fromRevision: number,
  withPrevious: boolean,
  { revisionsMax, bytesMax }: ReplayLimits,
): RevisionEvents[] {
  const batches: { readonly revision: number; readonly events: Event[] }[] = [];
  let bytes = 0;
  for (const record of mvcc.history.from(fromRevision)) {
    let batch = batches.at(-1);
    if (batch?.revision !== record.revision) {
      if (batches.length === revisionsMax || (batch !== undefined && bytes >= bytesMax)) break;
      batch = { revision: record.revision, events: [] };
      batches.push(batch);
    }
    const version = decodeRecord(record);
    batch.events.push(eventOf(version, withPrevious ? previousOf(mvcc, version) : null));
    bytes += record.body.length;
  }
  return batches;
}

/**
 * The live version before a change; null when there was none, or when only compacted revisions had
 * it.
 */
export function previousOf(mvcc: Mvcc, version: Version): Version | null {
  if (version.previous === null || version.modRevision - 1 < mvcc.compactRevision) return null;
  const previous = mvcc.history.at(version.previous);
  return previous === null || previous.deleted ? null : previous;
}
