import { Code, EtcdError } from '../error.ts';
import { jsonString } from '../json-text.ts';

/** Every error of etcd's v2 API, by its number: the HTTP status and etcd's text. */
export const V2_ERRORS = {
  100: [404, 'Key not found'],
  101: [412, 'Compare failed'],
  102: [403, 'Not a file'],
  103: [400, 'Reached the max number of peers in the cluster'],
  104: [400, 'Not a directory'],
  105: [412, 'Key already exists'],
  106: [400, 'The prefix of given key is a keyword in etcd'],
  107: [400, 'Root is read only'],
  108: [403, 'Directory not empty'],
  109: [400, 'Peer address has existed'],
  110: [401, 'The request requires user authentication'],
  200: [400, 'Value is Required in POST form'],
  201: [400, 'PrevValue is Required in POST form'],
  202: [400, 'The given TTL in POST form is not a number'],
  203: [400, 'The given index in POST form is not a number'],
  204: [400, 'Value or TTL is required in POST form'],
  205: [400, 'The given timeout in POST form is not a number'],
  206: [400, 'Name is required in POST form'],
  207: [400, 'Index or value is required'],
  208: [400, 'Index and value cannot both be specified'],
  209: [400, 'Invalid field'],
  210: [400, 'Invalid POST form'],
  211: [400, 'Value provided on refresh'],
  212: [400, 'A TTL must be provided on refresh'],
  300: [500, 'Raft Internal Error'],
  301: [500, 'During Leader Election'],
  400: [400, 'watcher is cleared due to etcd recovery'],
  401: [400, 'The event in requested index is outdated and cleared'],
  402: [400, 'Standby Internal Error'],
  403: [400, 'Invalid active size'],
  404: [400, 'Standby remove delay'],
  500: [400, 'Client Internal Error'],
} as const satisfies Record<number, readonly [status: number, message: string]>;

export type V2ErrorCode = keyof typeof V2_ERRORS;

/** Why a request about keys fails. An EtcdError: commands end with it as with any other. */
export class V2Error extends EtcdError {
  readonly errorCode: V2ErrorCode;
  /** What it is about: a path, a field, two values that differ. */
  readonly reason: string;
  /** The store's index then; 0: the request never got there. */
  readonly index: number;

  constructor(errorCode: V2ErrorCode, reason: string, index: number) {
    super(Code.unknown, V2_ERRORS[errorCode][1]);
    this.errorCode = errorCode;
    this.reason = reason;
    this.index = index;
  }

  get status(): number {
    return V2_ERRORS[this.errorCode][0];
  }
}

export function encodeV2Error({ errorCode, message, reason, index }: V2Error): string {
  const cause = reason === '' ? '' : `,"cause":${jsonString(reason)}`;
  return `{"errorCode":${errorCode},"message":${jsonString(message)}${cause},"index":${index}}\n`;
}
