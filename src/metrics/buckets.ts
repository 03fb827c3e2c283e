/** `count` bounds, each twice the one before: etcd's buckets, so that dashboards fit. */
export function doubling(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => first * 2 ** i);
}

/** Of everything that waits for a disk. */
export const DISK_SECONDS = doubling(0.001, 14);

/** Prometheus's own, which gRPC's interceptors use. */
export const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
