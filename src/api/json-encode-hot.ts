import { encodeBase64 } from './base64.ts';
import type { KeyValue } from './gen/kv_pb.ts';
import type { PutResponse, RangeResponse, ResponseHeader } from './gen/rpc_pb.ts';

/** The answers that are given most often; null: the generic encoder knows the message. */
export function encodeHot(message: { readonly $typeName: string }): string | null {
  if (isPutResponse(message)) return encodePut(message);
  if (isRangeResponse(message)) return encodeRange(message);
  return null;
}

function isPutResponse(message: { readonly $typeName: string }): message is PutResponse {
  return message.$typeName === 'etcdserverpb.PutResponse';
}

function isRangeResponse(message: { readonly $typeName: string }): message is RangeResponse {
  return message.$typeName === 'etcdserverpb.RangeResponse';
}

function encodePut({ header, prevKv }: PutResponse): string {
  let json = '';
  if (header !== undefined) json += `,"header":${encodeHeader(header)}`;
  if (prevKv !== undefined) json += `,"prev_kv":${encodeKeyValue(prevKv)}`;
  return object(json);
}

function encodeRange({ header, kvs, more, count }: RangeResponse): string {
  let json = '';
  if (header !== undefined) json += `,"header":${encodeHeader(header)}`;
  let separator = ',"kvs":[';
  for (const kv of kvs) {
    json += separator + encodeKeyValue(kv);
    separator = ',';
  }
  if (kvs.length > 0) json += ']';
  if (more) json += ',"more":true';
  if (count !== 0n) json += `,"count":"${count}"`;
  return object(json);
}

function encodeHeader(header: ResponseHeader): string {
  let json = '';
  if (header.clusterId !== 0n) json += `,"cluster_id":"${header.clusterId}"`;
  if (header.memberId !== 0n) json += `,"member_id":"${header.memberId}"`;
  if (header.revision !== 0n) json += `,"revision":"${header.revision}"`;
  if (header.raftTerm !== 0n) json += `,"raft_term":"${header.raftTerm}"`;
  return object(json);
}

function encodeKeyValue(kv: KeyValue): string {
  let json = '';
  if (kv.key.length > 0) json += `,"key":"${encodeBase64(kv.key)}"`;
  if (kv.createRevision !== 0n) json += `,"create_revision":"${kv.createRevision}"`;
  if (kv.modRevision !== 0n) json += `,"mod_revision":"${kv.modRevision}"`;
  if (kv.version !== 0n) json += `,"version":"${kv.version}"`;
  if (kv.value.length > 0) json += `,"value":"${encodeBase64(kv.value)}"`;
  if (kv.lease !== 0n) json += `,"lease":"${kv.lease}"`;
  return object(json);
}

/** Fields, each with a comma before it, as an object. */
function object(fields: string): string {
  return fields === '' ? '{}' : `{${fields.slice(1)}}`;
}
