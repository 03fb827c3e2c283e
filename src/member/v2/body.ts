import { EtcdError } from '../../api/error.ts';
import { Cluster } from '../../api/gen/rpc_pb.ts';
import { decodeJson } from '../../api/json.ts';

/** A JSON object as a client sent it: nothing is known of its fields. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Null: the text is no JSON object. */
export function objectOf(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? { ...value } : null;
  } catch {
    return null;
  }
}

/** A field that is a list of strings; empty where there is none. Null: it is something else. */
export function stringsOf(value: unknown): readonly string[] | null {
  if (value === undefined || value === null) return [];
  const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
  return isList ? value : null;
}

/** The type that etcd reads URLs of members into, as Go shows it. */
const URLS_TYPE = 'struct { PeerURLs []string "json:\\"peerURLs\\"" }';

/** What Go says of a body that should have been URLs of a member. */
export function complaintAbout(text: string): string {
  if (text.trim() === '') return 'unexpected end of JSON input';
  const complaint = syntaxError(text);
  if (complaint !== null) return complaint;
  const value: unknown = JSON.parse(text);
  if (kindOf(value) !== 'object') {
    return `json: cannot unmarshal ${kindOf(value)} into Go value of type ${URLS_TYPE}`;
  }
  const urls: unknown = (value as JsonObject)['peerURLs'];
  if (!Array.isArray(urls)) return cannotBe(urls, '[]string');
  return cannotBe(
    urls.find((url) => typeof url !== 'string'),
    'string',
  );
}

function cannotBe(value: unknown, type: string): string {
  return `json: cannot unmarshal ${kindOf(value)} into Go struct field .peerURLs of type ${type}`;
}

/** Null: the text is JSON, of whatever. */
function syntaxError(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch {
    try {
      decodeJson(Cluster.method.memberAdd.input, text);
    } catch (error) {
      if (error instanceof EtcdError) return error.message;
      throw error;
    }
    return 'invalid character after top-level value';
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}
