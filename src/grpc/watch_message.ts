import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { EtcdError } from '../api/error.ts';
import {
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { writeVarint64 } from '../api/wire.ts';

/** The id under which etcd says what concerns no watch, or one that was not made. */
export const NO_WATCH = -1n;

/** Field 2 of WatchResponse, as a varint. */
const WATCH_ID_TAG = 16;

/** @throws EtcdError */
export function decodeWatchRequest(bytes: Uint8Array): WatchRequest {
  try {
    return fromBinary(WatchRequestSchema, bytes);
  } catch {
    throw new EtcdError(13, 'grpc: error unmarshalling request');
  }
}

/** A response without its watch's id, which {@link withWatchId} adds. */
export function encodeWithoutId(response: WatchResponse): Uint8Array {
  return toBinary(WatchResponseSchema, { ...response, watchId: 0n });
}

/**
 * The same response for one watch. Fields of a message may come in any order, so that what many
 * watches get is encoded once; for the first watch of a stream, 0, there is nothing to add.
 */
export function withWatchId(body: Uint8Array, watchId: bigint): Uint8Array {
  if (watchId === 0n) return body;
  const bytes = new Uint8Array(body.length + 11);
  bytes.set(body);
  bytes[body.length] = WATCH_ID_TAG;
  const end = writeVarint64(bytes, body.length + 1, watchId);
  return bytes.subarray(0, end);
}
