import { Code, EtcdError } from '../api/error.ts';
import { httpStatusOf, messageTooLarge } from '../api/error-body.ts';
import { limits } from '../config.ts';
import { concatBytes, utf8 } from '../lib/bytes.ts';

/** How one of the protocols for pages packs a unary call. */
export interface WebProtocol {
  /** Of the answer. */
  readonly contentType: string;
  /** Messages are JSON, not protobuf. */
  readonly isJson: boolean;
  /** The message in a request's body. @throws EtcdError */
  message(body: Uint8Array): Uint8Array;
  success(message: Uint8Array): Uint8Array;
  failure(error: EtcdError): {
    readonly status: number;
    readonly contentType: string;
    readonly body: Uint8Array;
  };
}

/** The protocol that a content type stands for; null: none that is spoken here. */
export function webProtocolOf(contentType: string): WebProtocol | null {
  const [type = ''] = contentType.split(';');
  switch (type.trim().toLowerCase()) {
    case 'application/json':
      return connect('application/json', true);
    case 'application/proto':
      return connect('application/proto', false);
    case 'application/grpc-web':
    case 'application/grpc-web+proto':
      return GRPC_WEB;
    default:
      return null;
  }
}

/** Connect's names of gRPC's codes, by their number. */
const CONNECT_CODES = [
  'ok',
  'canceled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
];
/** The one that Connect maps otherwise than etcd's gateway. */
const CONNECT_CANCELED = 499;

/** A body is a message, and an error is a status of HTTP. */
function connect(contentType: string, isJson: boolean): WebProtocol {
  return {
    contentType,
    isJson,
    message: (body) => body,
    success: (message) => message,
    failure: ({ code, message }) => ({
      status: code === Code.canceled ? CONNECT_CANCELED : httpStatusOf(code),
      contentType: 'application/json',
      body: utf8(JSON.stringify({ code: CONNECT_CODES[code], message })),
    }),
  };
}

const PREFIX_BYTES = 5;
/** Of a frame: it holds trailers. */
const TRAILERS = 0x80;

/** Frames as gRPC's, the last of them with what are trailers there. */
const GRPC_WEB: WebProtocol = {
  contentType: 'application/grpc-web+proto',
  isJson: false,
  message(body) {
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    if (body.length < PREFIX_BYTES) throw new EtcdError(Code.internal, 'grpc: no request');
    if (view.getUint8(0) !== 0) {
      throw new EtcdError(Code.unimplemented, 'a compressed request is not taken');
    }
    const length = view.getUint32(1);
    if (length > limits.messageBytesMax) throw messageTooLarge(length);
    if (body.length !== PREFIX_BYTES + length) {
      throw new EtcdError(Code.internal, 'grpc: not one request');
    }
    return body.subarray(PREFIX_BYTES);
  },
  success: (message) =>
    concatBytes([frame(0, message), frame(TRAILERS, utf8('grpc-status:0\r\n'))]),
  failure({ code, message }) {
    const words = encodeURIComponent(message);
    const trailers = utf8(`grpc-status:${code}\r\ngrpc-message:${words}\r\n`);
    const contentType = 'application/grpc-web+proto';
    return { status: 200, contentType, body: frame(TRAILERS, trailers) };
  },
};

function frame(flags: number, payload: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(PREFIX_BYTES);
  prefix[0] = flags;
  new DataView(prefix.buffer).setUint32(1, payload.length);
  return concatBytes([prefix, payload]);
}
