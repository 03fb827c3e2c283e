import { describe, expect, it } from 'vitest';
import type { CallContext } from '../../api/call.ts';
import { type Caller, NOBODY } from '../../api/caller.ts';
import { EtcdError } from '../../api/error.ts';
import type { WatchResponse } from '../../api/gen/rpc_pb.ts';
import { must } from '../../lib/assert.ts';
import { textOf } from '../../lib/bytes.ts';
import { seededPrng } from '../../lib/prng.ts';
import { put } from '../../state/testing/single.ts';
import { header, requests } from '../../watch/testing/client.ts';
import { Member } from '../../watch/testing/member.ts';
import { WatchStreams } from '../watch_streams.ts';
import type { ServiceHost, StreamSession } from './service.ts';
import { watchService } from './watch.ts';

const CONTEXT: CallContext = { token: 'token', timeoutMs: null, requireLeader: false };

/** A member whose users may read what the test says. */
class Host {
  readonly member = new Member();
  /** The prefix of the keys that each user may read. */
  readonly rights = new Map([['', '']]);
  caller: Caller | EtcdError = NOBODY;
  authRevision = 1;
  readonly streams = new WatchStreams({
    nowMs: () => 0,
    setTimer: () => {},
    prng: seededPrng(1),
    intervalMs: 1_000,
    header,
    termOf: () => 3,
  });

  open(saved?: unknown) {
    const responses: WatchResponse[] = [];
    const sink = {
      send: (response: WatchResponse) => void responses.push(response),
      end: () => {},
      bufferedBytes: 0,
      drained: () => {},
      changed: () => {},
    };
    const { open, resume } = watchService(this.#host as unknown as ServiceHost);
    const opened =
      saved === undefined
        ? open(sink as never, CONTEXT)
        : must(resume, 'a watch is resumable')(saved, sink as never, CONTEXT);
    const session = opened as unknown as StreamSession & {
      receive(request: ReturnType<typeof requests.create>): void;
    };
    const take = () => responses.splice(0).map(brief);
    return { session, take };
  }

  put(key: string): void {
    this.member.write({ case: 'put', value: put(key) });
    this.member.apply();
  }

  get #host() {
    const { member, streams } = this;
    const checkRead = ({ username }: Caller, key: Uint8Array) => {
      const prefix = this.rights.get(username);
      const may = prefix !== undefined && textOf(key).startsWith(prefix);
      if (!may) throw EtcdError.of('permissionDenied');
    };
    return {
      watches: member.hub,
      watchStreams: streams,
      machine: {
        revision: member.revision(),
        auth: { revision: this.authRevision },
        authorizer: { checkRead },
      },
      settings: { requestBytesMax: 1_000_000 },
      caller: () => {
        if (this.caller instanceof EtcdError) throw this.caller;
        return this.caller;
      },
    };
  }
}

function brief({ watchId, created, canceled, cancelReason, events }: WatchResponse): string {
  const what = created ? ' created' : '';
  return `${watchId}${what}${canceled ? ` canceled ${cancelReason}` : ''} ${events.length}`.trim();
}

const denied = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';

describe('a watch', () => {
  it('goes on when the client has sent all, until its stream is closed', () => {
    const host = new Host();
    const { session, take } = host.open();
    session.receive(requests.create('a'));
    session.halfClosed();
    host.put('a');
    expect(take()).toEqual(['0 created 0', '0 1']);
    expect(host.streams.size).toBe(1);
    session.closed();
    host.put('a');
    expect(take()).toEqual([]);
    expect([host.streams.size, host.member.hub.stats.watchers]).toEqual([0, 0]);
  });

  it('is refused to who may not read its range', () => {
    const host = new Host();
    host.rights.set('ann', 'a');
    host.caller = { username: 'ann', authRevision: 1n, internal: false };
    const { session, take } = host.open();
    session.receive(requests.create('b'));
    session.receive(requests.create('a'));
    expect(take()).toEqual([`-1 created canceled ${denied} 0`, '0 created 0']);
  });

  it('is refused with a token that is good for nothing', () => {
    const host = new Host();
    host.caller = EtcdError.of('invalidAuthToken');
    const { session, take } = host.open();
    session.receive(requests.create('a'));
    const reason = 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token';
    expect(take()).toEqual([`-1 created canceled ${reason} 0`]);
  });

  it('outlives its token, but not the rights of its user', () => {
    const host = new Host();
    host.rights.set('ann', 'a');
    host.caller = { username: 'ann', authRevision: 1n, internal: false };
    const { session, take } = host.open();
    session.receive(requests.create('a'));
    host.caller = EtcdError.of('invalidAuthToken');
    host.streams.recheck();
    host.put('a');
    expect(take()).toEqual(['0 created 0', '0 1']);
    // For another watch on the stream it is looked at again.
    session.receive(requests.create('ab'));
    const ended = 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token';
    expect(take()).toEqual([`-1 created canceled ${ended} 0`]);
    host.rights.delete('ann');
    host.streams.recheck();
    host.put('a');
    expect(take()).toEqual([`0 canceled ${denied} 0`]);
  });

  it('is resumed for its user, where it was', () => {
    const host = new Host();
    host.rights.set('ann', 'a');
    host.caller = { username: 'ann', authRevision: 1n, internal: false };
    const { session, take } = host.open();
    session.receive(requests.create('a'));
    host.put('a');
    const saved: unknown = JSON.parse(JSON.stringify(session.save?.()));
    session.closed();
    expect(take()).toEqual(['0 created 0', '0 1']);
    host.put('a');
    const resumed = host.open(saved);
    host.member.settle();
    resumed.session.receive(requests.create('ab'));
    resumed.session.receive(requests.create('b'));
    const refused = `-1 created canceled ${denied} 0`;
    expect(resumed.take()).toEqual(['0 1', '1 created 0', refused]);
  });
});
