import { exports } from 'cloudflare:workers';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  PutRequestSchema,
  PutResponseSchema,
  RangeRequestSchema,
  RangeResponseSchema,
  TxnRequestSchema,
  TxnResponseSchema,
} from '../../src/api/gen/rpc_pb.ts';
import { textOf, utf8 } from '../../src/lib/bytes.ts';
import { readValue, untilWritable } from './client.ts';

beforeAll(() => untilWritable());

/** One call, in Connect's or gRPC-Web's way. */
async function call(path: string, type: string, body: Uint8Array): Promise<Response> {
  const init = { method: 'POST', body: body.slice(), headers: { 'content-type': type } };
  return exports.default.fetch(new Request(`http://edge.example${path}`, init));
}

async function connect<I extends DescMessage, O extends DescMessage>(
  path: string,
  [input, output]: readonly [I, O],
  request: MessageInitShape<I>,
) {
  const bytes = toBinary(input, create(input, request));
  const response = await call(path, 'application/proto', bytes);
  expect(response.status).toBe(200);
  return fromBinary(output, new Uint8Array(await response.arrayBuffer()));
}

const RANGE = [RangeRequestSchema, RangeResponseSchema] as const;

describe('calls of Connect', () => {
  it('put, get and compare', async () => {
    const [key, value] = [utf8('web/1'), Uint8Array.of(0, 255, 7)];
    const put = [PutRequestSchema, PutResponseSchema] as const;
    const { header } = await connect('/etcdserverpb.KV/Put', put, { key, value });
    const found = await connect('/etcdserverpb.KV/Range', RANGE, { key });
    expect(found.kvs).toMatchObject([{ key, value, modRevision: header?.revision, version: 1n }]);
    const txn = [TxnRequestSchema, TxnResponseSchema] as const;
    const { succeeded, responses } = await connect('/etcdserverpb.KV/Txn', txn, {
      compare: [{ key, target: 0, result: 0, targetUnion: { case: 'version', value: 1n } }],
      success: [{ request: { case: 'requestRange', value: { key } } }],
    });
    expect(succeeded).toBe(true);
    expect(responses[0]?.response).toMatchObject({ case: 'responseRange', value: { count: 1n } });
  });

  it("fail with etcd's words", async () => {
    const body = toBinary(PutRequestSchema, create(PutRequestSchema));
    const response = await call('/etcdserverpb.KV/Put', 'application/proto', body);
    expect(response.status).toBe(400);
    const message = 'etcdserver: key is not provided';
    expect(await response.json()).toEqual({ code: 'invalid_argument', message });
  });
});

it('calls of gRPC-Web put, and fail', async () => {
  const put = async (request: MessageInitShape<typeof PutRequestSchema>): Promise<string> => {
    const message = toBinary(PutRequestSchema, create(PutRequestSchema, request));
    const frame = new Uint8Array(5 + message.length);
    new DataView(frame.buffer).setUint32(1, message.length);
    frame.set(message, 5);
    const answer = await call('/etcdserverpb.KV/Put', 'application/grpc-web+proto', frame);
    return textOf(new Uint8Array(await answer.arrayBuffer()));
  };
  expect(await put({ key: utf8('web/2'), value: utf8('two') })).toContain('grpc-status:0\r\n');
  expect(await readValue('web/2')).toBe('two');
  expect(await put({})).toContain('grpc-status:3\r\ngrpc-message:etcdserver%3A%20key');
});
