import { describe, expect, it } from 'vitest';
import { Calls } from './calls.ts';
import type { CallContext, Channel } from './channel.ts';
import { Code, connectionLost, EtcdError, errorOf } from './error.ts';
import type { AuthOptions } from './options.ts';
import { Tokens } from './tokens.ts';

type Answer = (path: string, context: CallContext) => object;

/** An endpoint that answers as the test says, and notes what it was asked. */
class FakeChannel implements Channel {
  readonly asked: string[] = [];
  answer: Answer;
  leads: boolean | null = null;
  closed = false;

  constructor(answer: Answer = () => ({ header: { revision: 7 } })) {
    this.answer = answer;
  }

  async unary(path: string, _request: unknown, context: CallContext): Promise<never> {
    this.asked.push(context.token === null ? path : `${path} as ${context.token}`);
    return this.answer(path, context) as never;
  }

  // biome-ignore lint/correctness/useYield: what it would yield no test is about
  async *stream(path: string, _request: unknown, context: CallContext): AsyncGenerator<never> {
    await this.unary(path, null, context);
  }

  close(): void {
    this.closed = true;
  }
}

function callsOf(channels: readonly FakeChannel[], auth: AuthOptions | null = null): Calls {
  return new Calls(channels, new Tokens(auth), { timeoutMs: 400, requireLeader: false });
}

const fails = (error: Error) => () => {
  throw error;
};

describe('a read', () => {
  it('is asked of the next endpoint when the way to one is lost, and then of that one', async () => {
    const lost = new FakeChannel(fails(connectionLost(true)));
    const good = new FakeChannel();
    const calls = callsOf([lost, good]);
    for (let i = 0; i < 3; i++) await calls.unary('/v3/kv/range', {});
    expect([lost.asked.length, good.asked.length]).toEqual([1, 3]);
    expect(calls.seenRevision).toBe(7);
  });

  it('is repeated until its time is over, and then fails as the last try did', async () => {
    const lost = new FakeChannel(fails(errorOf(Code.unavailable, 'etcdserver: leader changed')));
    const error = await callsOf([lost])
      .unary('/v3/kv/range', {})
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: 'etcdserver: leader changed' });
    expect(lost.asked.length).toBeGreaterThan(2);
  });

  it('gives each of several endpoints a part of its time', async () => {
    const seen: number[] = [];
    const answer: Answer = (_, { timeoutMs }) => {
      seen.push(timeoutMs);
      throw new EtcdError(Code.deadlineExceeded, 'context deadline exceeded', 'unknown');
    };
    const calls = callsOf([new FakeChannel(answer), new FakeChannel()]);
    await calls.unary('/v3/kv/range', {}, { timeoutMs: 60_000 });
    expect(seen).toEqual([3_000]);
  });

  it.each([
    ['a mistake of the caller', errorOf(Code.invalidArgument, 'etcdserver: key is not provided')],
    ['something that is none of etcd’s errors', new TypeError('no')],
  ])('is not repeated for %s', async (_, error) => {
    const channel = new FakeChannel(fails(error));
    await expect(callsOf([channel]).unary('/v3/kv/range', {})).rejects.toBe(error);
    expect(channel.asked.length).toBe(1);
  });
});

describe('a write', () => {
  it.each([
    ['the connection was lost', connectionLost(true)],
    ['the server timed out', errorOf(Code.unavailable, 'etcdserver: request timed out')],
    ['the server stopped', errorOf(Code.unavailable, 'etcdserver: server stopped')],
    ['nobody knows', errorOf(Code.unknown, 'something')],
  ])('is not repeated when %s', async (_, error) => {
    const channel = new FakeChannel(fails(error));
    const calls = callsOf([channel, channel]);
    await expect(calls.unary('/v3/kv/put', {})).rejects.toBe(error);
    expect([error.outcome, channel.asked.length]).toEqual(['unknown', 1]);
  });

  it.each([
    ['there was no connection', connectionLost(false)],
    ['there was no leader', errorOf(Code.unavailable, 'etcdserver: no leader')],
    ['there were too many', errorOf(Code.resourceExhausted, 'etcdserver: too many requests')],
    ['the member was starting', errorOf(Code.unavailable, 'etcdserver: starting', true)],
  ])('is repeated when %s', async (_, error) => {
    const channel = new FakeChannel(fails(error));
    const good = new FakeChannel();
    await callsOf([channel, good]).unary('/v3/kv/put', {});
    expect([error.outcome, channel.asked.length, good.asked.length]).toEqual(['none', 1, 1]);
  });

  it('is not repeated when there is no room for it: that does not pass', async () => {
    const text = 'etcdserver: mvcc: database space exceeded';
    const channel = new FakeChannel(fails(errorOf(Code.resourceExhausted, text)));
    await expect(callsOf([channel]).unary('/v3/kv/put', {})).rejects.toThrow(text);
    expect(channel.asked.length).toBe(1);
  });

  it('is repeated in any case when it is as good done twice', async () => {
    const lost = new FakeChannel(fails(connectionLost(true)));
    const good = new FakeChannel();
    await callsOf([lost, good]).unary('/v3/lease/grant', {}, { idempotent: true });
    expect(good.asked.length).toBe(1);
  });
});

describe('a client', () => {
  it('ends waiting for a caller that has gone', async () => {
    const lost = new FakeChannel(fails(connectionLost(true)));
    const abort = new AbortController();
    const call = callsOf([lost]).unary('/v3/kv/range', {}, { signal: abort.signal, timeoutMs: 0 });
    abort.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
  });

  it('takes no calls once it is closed', async () => {
    const channel = new FakeChannel();
    const calls = callsOf([channel]);
    calls.close();
    calls.close();
    await expect(calls.unary('/v3/kv/range', {})).rejects.toThrow('the client is closed');
    expect([channel.closed, channel.asked]).toEqual([true, []]);
  });

  it('logs in when it has to, once for all, and again when the token is over', async () => {
    let logins = 0;
    const channel = new FakeChannel((path, { token }) => {
      if (path === '/v3/auth/authenticate') return { token: `t${++logins}` };
      if (token === 't1' && logins === 1) {
        throw errorOf(Code.unauthenticated, 'etcdserver: invalid auth token');
      }
      return {};
    });
    const calls = callsOf([channel], { username: 'ann', password: 'secret' });
    await calls.unary('/v3/kv/put', {});
    await Promise.all([calls.unary('/v3/kv/put', {}), calls.unary('/v3/kv/put', {})]);
    expect(channel.asked).toEqual([
      '/v3/auth/authenticate',
      '/v3/kv/put as t1',
      '/v3/auth/authenticate',
      '/v3/kv/put as t2',
      '/v3/kv/put as t2',
      '/v3/kv/put as t2',
    ]);
  });

  it('calls as nobody where authentication is off, and with its token where it has one', async () => {
    const off = new FakeChannel((path) => {
      if (path !== '/v3/auth/authenticate') return {};
      throw errorOf(Code.failedPrecondition, 'etcdserver: authentication is not enabled');
    });
    await callsOf([off], { username: 'ann' }).unary('/v3/kv/put', {});
    expect(off.asked).toEqual(['/v3/auth/authenticate', '/v3/kv/put']);
    const given = new FakeChannel(fails(errorOf(16, 'etcdserver: invalid auth token')));
    const calls = callsOf([given], { token: 'mine' });
    await expect(calls.unary('/v3/kv/put', {})).rejects.toThrow('invalid auth token');
    expect(given.asked).toEqual(['/v3/kv/put as mine']);
  });

  it('goes to the leader when it finds that it is elsewhere, and looks once', async () => {
    const channels = [new FakeChannel(), new FakeChannel(), new FakeChannel()];
    const [first, second, third] = channels as [FakeChannel, FakeChannel, FakeChannel];
    const calls = callsOf(channels);
    await calls.unary('/v3/kv/put', {});
    first.leads = false;
    second.leads = false;
    third.leads = true;
    for (let i = 0; i < 3; i++) await calls.unary('/v3/kv/put', {});
    expect(channels.map(({ asked }) => asked.length)).toEqual([1, 0, 3]);
    // The leader may be none of them.
    third.leads = false;
    for (let i = 0; i < 3; i++) await calls.unary('/v3/kv/put', {});
    expect(channels.map(({ asked }) => asked.length)).toEqual([1, 0, 6]);
  });

  it('does not go back to a leader that has fallen silent, whoever else leads not', async () => {
    const channels = [new FakeChannel(), new FakeChannel(), new FakeChannel()];
    const [first, second, third] = channels as [FakeChannel, FakeChannel, FakeChannel];
    first.leads = false;
    second.leads = false;
    third.answer = fails(connectionLost(true));
    const calls = callsOf(channels);
    for (let i = 0; i < 3; i++) await calls.unary('/v3/kv/range', {});
    expect(channels.map(({ asked }) => asked.length)).toEqual([3, 0, 1]);
  });

  it('sends the next stream elsewhere when one has failed', async () => {
    const lost = new FakeChannel(fails(connectionLost(true)));
    const good = new FakeChannel();
    const calls = callsOf([lost, good]);
    await expect(calls.stream('/v3/watch', {}).next()).rejects.toThrow('connection was lost');
    await calls.stream('/v3/watch', {}).next();
    expect(good.asked).toEqual(['/v3/watch']);
  });
});
