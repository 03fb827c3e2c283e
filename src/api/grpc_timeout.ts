/** gRPC's units: hours, minutes, seconds, milli-, micro- and nanoseconds. */
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * The milliseconds of a header Grpc-Timeout; null when it is none.
 * @param count how its number may look, on which gRPC and etcd's gateway do not agree
 */
export function grpcTimeoutMs(header: string, count: RegExp): number | null {
  const unit = UNIT_MS[header.slice(-1)];
  const number = header.slice(0, -1);
  return unit === undefined || !count.test(number) ? null : Number(number) * unit;
}
