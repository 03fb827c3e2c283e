import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { EtcdError } from '../../api/error.ts';
import { WatchResponseSchema } from '../../api/gen/rpc_pb.ts';
import { serverSentEvents } from './server_sent_events.ts';

type Init = MessageInitShape<typeof WatchResponseSchema>;

const header = { revision: 50n };
const events = [{ kv: { modRevision: 7n } }, { kv: { modRevision: 9n } }];

function lines(response: Init, request = '{"create_request":{}}'): string[] {
  const frame = serverSentEvents(request).frame('{}', create(WatchResponseSchema, response));
  expect(frame.endsWith('\ndata: {}\n\n')).toBe(true);
  return frame.slice(0, -'\ndata: {}\n\n'.length).split('\n');
}

describe('an event', () => {
  it('has the last revision that was sent as its id', () => {
    expect(lines({ header, events })).toEqual(['id: 9']);
  });

  it('that goes on in the next fragment has not sent its last revision', () => {
    expect(lines({ header, events, fragment: true })).toEqual(['id: 8']);
  });

  it('of the beginning has the revision before the first that will come', () => {
    expect(lines({ header, created: true })).toEqual(['id: 50', 'event: created']);
    const past = '{"create_request":{"start_revision":"30"}}';
    expect(lines({ header, created: true }, past)).toEqual(['id: 29', 'event: created']);
  });

  it('of progress has the revision up to which all was sent', () => {
    expect(lines({ header })).toEqual(['id: 50', 'event: progress']);
  });

  it('of a compaction has the id from which the page can go on', () => {
    const response = { header, canceled: true, compactRevision: 40n };
    expect(lines(response)).toEqual(['id: 39', 'event: compacted']);
  });

  it('of another end has none', () => {
    const frame = serverSentEvents('{}').frame(
      '{}',
      create(WatchResponseSchema, { header, canceled: true, created: true }),
    );
    expect(frame).toBe('event: canceled\ndata: {}\n\n');
  });
});

describe('the rest of the text', () => {
  const format = serverSentEvents('not a request');

  it('tells how to come back, and what went wrong', () => {
    expect(format.preamble).toBe('retry: 1000\n\n');
    expect(format.error(EtcdError.of('noLeader'))).toMatch(
      /^event: error\ndata: \{"error":\{"grpc_code":14.*\}\}\n\n$/,
    );
  });

  it('is a comment where there is nothing to say', () => {
    expect(format.blank).toBe(':\n\n');
  });
});
