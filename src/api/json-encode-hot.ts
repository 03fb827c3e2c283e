import { encodeBase64 } from './base64.ts';
import { type Event, Event_EventType, type KeyValue } from './gen/kv_pb.ts';
import type { PutResponse, RangeResponse, ResponseHeader, WatchResponse } from './gen/rpc_pb.ts';
import { jsonString } from './json-text.ts';

/** The answers that are given most often; null: the generic encoder knows the message. */
export function encodeHot(message: { readonly $typeName: string }): string | null {
  if (isPutResponse(message)) return encodePut(message);
  if (isRangeResponse(message)) return encodeRange(message);
  if (isWatchResponse(message)) return encodeWatch(message);
  return null;
}

function isPutResponse(message: { readonly $typeName: string }): message is PutResponse {
  return message.$typeName === 'etcdserverpb.PutResponse';
}

function isRangeResponse(message: { readonly $typeName: string }): message is RangeResponse {
  return message.$typeName === 'etcdserverpb.RangeResponse';
}

function isWatchResponse(message: { readonly $typeName: string }): message is WatchResponse {
  return message.$typeName === 'etcdserverpb.WatchResponse';
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

function encodeWatch(response: WatchResponse): string {
  const { header, watchId, compactRevision, cancelReason, events } = response;
  let json = '';
  if (header !== undefined) json += `,"header":${encodeShared(header, encodeHeader)}`;
  if (watchId !== 0n) json += `,"watch_id":"${watchId}"`;
  if (response.created) json += ',"created":true';
  if (response.canceled) json += ',"canceled":true';
  if (compactRevision !== 0n) json += `,"compact_revision":"${compactRevision}"`;
  if (cancelReason !== '') json += `,"cancel_reason":${jsonString(cancelReason)}`;
  if (response.fragment) json += ',"fragment":true';
  let separator = ',"events":[';
  for (const event of events) {
    json += separator + encodeShared(event, encodeEvent);
    separator = ',';
  }
  if (events.length > 0) json += ']';
  return object(json);
}

const SHARED_JSON = Symbol('the JSON of a message that is sent to many');

/** Watchers are sent the same events and headers: the text is made once, and kept with them. */
function encodeShared<M extends object>(
  message: M & { [SHARED_JSON]?: string },
  encode: (message: M) => string,
): string {
  message[SHARED_JSON] ??= encode(message);
  return message[SHARED_JSON];
}

function encodeEvent({ type, kv, prevKv }: Event): string {
  let json = '';
  if (type !== Event_EventType.PUT) json += `,"type":"${Event_EventType[type] ?? type}"`;
  if (kv !== undefined) json += `,"kv":${encodeKeyValue(kv)}`;
  if (prevKv !== undefined) json += `,"prev_kv":${encodeKeyValue(prevKv)}`;
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
