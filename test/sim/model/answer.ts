import type { ErrorName } from '../../../src/api/error.ts';
import { mapKey } from '../../../src/lib/bytes.ts';
import type { ModelOutcome } from '../../../src/state/v2/testing/model.ts';
import type { ModelVersion } from './store.ts';

/** What the model says the answer to a request must be. */
export type ModelAnswer =
  | {
      readonly type: 'range';
      readonly kvs: readonly ModelVersion[];
      readonly more: boolean;
      readonly count: number;
      readonly keysOnly: boolean;
    }
  | { readonly type: 'put'; readonly previous: ModelVersion | null }
  | {
      readonly type: 'delete';
      readonly deleted: number;
      readonly previous: readonly ModelVersion[];
    }
  | { readonly type: 'txn'; readonly succeeded: boolean; readonly answers: readonly ModelAnswer[] }
  | { readonly type: 'tree'; readonly outcome: ModelOutcome }
  | { readonly type: 'done' }
  /** Some error: which one is not the model's business. */
  | { readonly type: 'refused' }
  | { readonly type: 'error'; readonly error: ErrorName };

/** etcd's key-value message, as far as it is compared. */
export interface Kv {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly version: bigint;
  readonly lease: bigint;
}

/** The fields of etcd's responses that the model knows; headers are left to the member. */
export interface ActualAnswer {
  readonly kvs?: readonly Kv[];
  readonly more?: boolean;
  readonly count?: bigint;
  readonly prevKv?: Kv | undefined;
  readonly prevKvs?: readonly Kv[];
  readonly deleted?: bigint;
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response: { readonly value?: ActualAnswer } }[];
}

/** What differs between the answer and the model's; null when nothing does. */
export function differenceOf(expected: ModelAnswer, actual: ActualAnswer): string | null {
  switch (expected.type) {
    case 'range':
      return (
        differs('count', expected.count, Number(actual.count)) ??
        differs('more', expected.more, actual.more) ??
        differenceOfKvs(expected.kvs, actual.kvs ?? [], expected.keysOnly)
      );
    case 'put': {
      const kvs = actual.prevKv === undefined ? [] : [actual.prevKv];
      return differenceOfKvs(expected.previous === null ? [] : [expected.previous], kvs, false);
    }
    case 'delete':
      return (
        differs('deleted', expected.deleted, Number(actual.deleted)) ??
        differenceOfKvs(expected.previous, actual.prevKvs ?? [], false)
      );
    case 'txn':
      return differenceOfTxn(expected.succeeded, expected.answers, actual);
    case 'done':
      return null;
    case 'tree':
      return 'an answer about keys instead of one about the tree';
    case 'refused':
      return 'an answer instead of a refusal';
    case 'error':
      return `an answer instead of the error ${expected.error}`;
  }
}

function differenceOfTxn(
  succeeded: boolean,
  answers: readonly ModelAnswer[],
  actual: ActualAnswer,
): string | null {
  const responses = actual.responses ?? [];
  const outer =
    differs('succeeded', succeeded, actual.succeeded) ??
    differs('responses', answers.length, responses.length);
  if (outer !== null) return outer;
  for (const [i, answer] of answers.entries()) {
    const inner = differenceOf(answer, responses[i]?.response.value ?? {});
    if (inner !== null) return `response ${i}: ${inner}`;
  }
  return null;
}

/** What differs between the key-values and the model's versions; null when nothing does. */
export function differenceOfKvs(
  expected: readonly ModelVersion[],
  actual: readonly Kv[],
  keysOnly: boolean,
): string | null {
  const count = differs('kvs', expected.length, actual.length);
  if (count !== null) return count;
  for (const [i, version] of expected.entries()) {
    const kv = actual[i];
    if (kv === undefined) return `kvs[${i}] is missing`;
    const value = keysOnly ? '' : mapKey(version.value ?? new Uint8Array(0));
    const difference =
      differs('key', version.key, mapKey(kv.key)) ??
      differs('mod_revision', version.modRevision, Number(kv.modRevision)) ??
      differs('value', value, mapKey(kv.value)) ??
      differs('create_revision', version.createRevision, Number(kv.createRevision)) ??
      differs('version', version.version, Number(kv.version)) ??
      differs('lease', version.lease, kv.lease);
    if (difference !== null) return `kvs[${i}] (${version.key}): ${difference}`;
  }
  return null;
}

function differs(field: string, expected: unknown, actual: unknown): string | null {
  return expected === actual ? null : `${field} is ${actual}, must be ${expected}`;
}
