import { NO_CHAIN } from './chain.ts';
import { GuardedStore } from './guarded_store.ts';
import { encodeMeta, META_KEY, readMeta } from './meta.ts';
import { Origins } from './origins.ts';
import type { StateStore } from './store.ts';

/**
 * Makes of an installed snapshot the state that a new cluster begins with, as etcd's restore does:
 * keys with their revisions, leases, users and alarms stay. What belongs to the old cluster goes:
 * its members, who proposed what, the place in a log that does not exist any more, and with that
 * place the tokens of sessions, which would be vouched for by it.
 */
export function becomeNewCluster(store: StateStore): void {
  const guarded = new GuardedStore(store);
  guarded.clear('member');
  guarded.clear('token');
  const value = encodeMeta({
    ...readMeta(guarded),
    appliedIndex: 0,
    appliedTerm: 0,
    confIndex: 0,
    chain: NO_CHAIN,
    origins: new Origins(),
  });
  guarded.put('meta', [{ key: META_KEY, value }]);
}
