import { type Event, Event_EventType } from '../../../src/api/gen/kv_pb.ts';
import { mapKey } from '../../../src/lib/bytes.ts';
import { differenceOfKvs, type Kv } from './answer.ts';
import type { ModelChange, ModelVersion } from './store.ts';

interface Horizon {
  readonly compactRevision: number;
}

/**
 * What differs between the events of one revision and the model's changes; null when nothing does.
 */
export function differenceOfEvents(
  expected: readonly ModelChange[],
  actual: readonly Event[],
  horizon: Horizon,
): string | null {
  if (expected.length !== actual.length)
    return `${actual.length} events, must be ${expected.length}`;
  for (const [i, change] of expected.entries()) {
    const event = actual[i];
    const difference =
      event === undefined ? 'is missing' : differenceOfEvent(change, event, horizon);
    if (difference !== null) return `event ${i}: ${difference}`;
  }
  return null;
}

/**
 * The same for what a watch has been told: of what was replaced it hears only when it asked, and
 * not when that was compacted before it could be read.
 */
export function differenceOfWatched(
  expected: readonly ModelChange[],
  actual: readonly Event[],
  { prevKv, compactRevision }: Horizon & { readonly prevKv: boolean },
): string | null {
  const told = expected.map(({ version, previous }, i) => {
    const isLost = version.modRevision - 1 < compactRevision && actual[i]?.prevKv === undefined;
    return { version, previous: prevKv && !isLost ? previous : null };
  });
  return differenceOfEvents(told, actual, { compactRevision: -1 });
}

function differenceOfEvent(
  { version, previous }: ModelChange,
  { type, kv, prevKv }: Event,
  { compactRevision }: Horizon,
): string | null {
  const deletes = version.value === null;
  if ((type === Event_EventType.DELETE) !== deletes) return `is of type ${type}`;
  const difference = deletes ? differenceOfTombstone(version, kv) : differenceOfKv(version, kv);
  if (difference !== null) return difference;
  // What was replaced is told as long as a read could still ask for it.
  const told = version.modRevision - 1 >= compactRevision ? previous : null;
  const before = differenceOfKv(told, prevKv);
  return before === null ? null : `before it, ${before}`;
}

/** Of a deletion only the key and the revision are told. */
function differenceOfTombstone(version: ModelVersion, kv: Kv | undefined): string | null {
  const same =
    kv !== undefined &&
    mapKey(kv.key) === version.key &&
    Number(kv.modRevision) === version.modRevision;
  return same ? null : `deletes another key or at another revision than ${version.key}`;
}

function differenceOfKv(version: ModelVersion | null, kv: Kv | undefined): string | null {
  return differenceOfKvs(version === null ? [] : [version], kv === undefined ? [] : [kv], false);
}
