import { STATUS_CODES } from 'node:http';
import type { EtcdError } from '../../api/error.ts';
import { encodeError } from '../../api/error-body.ts';

/** As the gateway puts them on every answer. */
const HEADERS = [
  'Content-Type: application/json',
  'Access-Control-Allow-Origin: *',
  'Access-Control-Allow-Headers: accept, content-type, authorization',
  'Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE',
].join('\r\n');

const SUCCESS_END = `\r\n${HEADERS}\r\nGrpc-Metadata-Content-Type: application/grpc\r\n\r\n`;

/** A method's answer, of ASCII alone: keys and values are base64. */
export function successAnswer(json: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${json.length}${SUCCESS_END}${json}`;
}

export function errorAnswer(error: EtcdError): string {
  const { status, body } = encodeError(error);
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`;
  return `${line}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${HEADERS}\r\n\r\n${body}`;
}
