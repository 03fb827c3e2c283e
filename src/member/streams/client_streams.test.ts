import { expect, it } from 'vitest';
import { limits } from '../../config.ts';
import { ClientStreams } from './client_streams.ts';
import { FakeMember } from './fake_service.ts';

/** Socket of an earlier instance, with a watch that this one goes on with. */
class ResumedSocket {
  readonly told: string[] = [];

  send(text: string): void {
    this.told.push(text);
  }

  close(): void {}
  serializeAttachment(): void {}

  deserializeAttachment(): unknown {
    const context = { token: null, timeoutMs: null, requireLeader: false };
    return { path: '/v3/watch', context, phase: 'saved', session: 'kept' };
  }
}

it('an instance that was replaced does nothing with what a client says', () => {
  const socket = new ResumedSocket();
  const webSocket = socket as unknown as WebSocket;
  const member = new FakeMember();
  let isReplaced = false;
  const platform = { acceptWebSocket: () => {}, getWebSockets: () => [webSocket] };
  const checkCurrent = () => {
    if (isReplaced) throw new Error('replaced');
  };
  let nowMs = 0;
  const streams = new ClientStreams(platform, checkCurrent, () => nowMs);
  const call = () => Promise.reject(new Error('nothing is called'));
  const waitForKeys = () => Promise.reject(new Error('nobody waits'));
  const identity = () => ({ clusterId: 1n, memberId: 1n, leaderId: 1n });
  const sessionCalls = { begin: () => {} };
  streams.start(Object.assign(member, { call, waitForKeys, identity, sessionCalls }));
  const { service } = member;
  service.onReceive = () => service.send(3n);
  streams.received(webSocket, '{"cancel_request":{"watch_id":"3"}}');
  const before = [...service.told];
  expect(before).toEqual(['resume "kept"', 'receive cancelRequest']);
  expect(socket.told).toEqual(['{"result":{"watch_id":"3"}}']);
  isReplaced = true;
  nowMs += limits.streamCheckMs;
  expect(() => streams.received(webSocket, '{"progress_request":{}}')).toThrow('replaced');
  expect(service.told).toEqual(before);
  expect(socket.told).toHaveLength(1);
});
