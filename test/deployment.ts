import { bundleWorker, workerEntry } from '../src/local/bundle.ts';
import { compatibilityDate, compatibilityFlags } from '../src/local/workerd.ts';

/** Variables of a deployment that is asked by nobody but its test. */
export const quietBindings = {
  ALLOW_NONE_AUTHENTICATION: 'yes',
  ETCD_LOG_LEVEL: 'error',
  EDGETCD_ACCESS_LOG: 'off',
} as const;

/** A deployment of three members, as it is deployed: a Worker that Miniflare runs beside others. */
export async function bundledDeployment<N extends string>(name: N) {
  return {
    name,
    modules: true as const,
    script: await bundleWorker(workerEntry),
    compatibilityDate,
    compatibilityFlags,
    bindings: { ...quietBindings, ETCD_INITIAL_CLUSTER: 'm1=do://m1,m2=do://m2,m3=do://m3' },
    durableObjects: { MEMBER: { className: 'EtcdMember', useSQLite: true } },
  };
}
