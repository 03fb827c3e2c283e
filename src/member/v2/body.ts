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

/** What Go says of a body that is not what it should be. */
export function complaintAbout(text: string): string {
  try {
    decodeJson(Cluster.method.memberAdd.input, text);
  } catch (error) {
    if (error instanceof EtcdError) return error.message;
    throw error;
  }
  return text.trim() === '' ? 'EOF' : 'json: cannot unmarshal value';
}
