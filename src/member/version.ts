/**
 * The etcd release whose answers are given: clients choose features by it. The wire profile is 3.5
 * (docs/ARCHITECTURE.md says why).
 */
export const ETCD_VERSION = '3.5.21';
export const ETCD_CLUSTER_VERSION = '3.5.0';
