import { describe, expect, it } from 'vitest';
import type { MemberId, Message } from '../raft/message.ts';
import { Answers } from './answers.ts';

const envelope = (to: MemberId) => ({ from: 'a', to, term: 1, epoch: 1 });

function appendReply(to: MemberId, round = 1): Message {
  const rest = { accepted: true, index: 1, hintIndex: 0, hintTerm: 0, attended: false };
  return { type: 'appendReply', ...envelope(to), round, ...rest };
}
function readReply(to: MemberId, id: number): Message {
  return { type: 'readReply', ...envelope(to), id, index: 1 };
}
const commit = (to: MemberId): Message => ({ type: 'commit', ...envelope(to), commit: 1 });
const timeoutNow = (to: MemberId): Message => ({ type: 'timeoutNow', ...envelope(to) });

class Rig {
  readonly answers: Answers;
  /** What went out by a link, as "peer:types", and back on requests, as "name=types". */
  readonly sent: string[] = [];

  constructor() {
    this.answers = new Answers({
      send: (to, messages) => void this.sent.push(`${to}:${types(messages)}`),
      sendSnapshot: () => {},
    });
  }

  open(from: MemberId, wait: 'turn' | 'propose' | 'read', name: string = from, nowMs = 0): void {
    const reply = (messages: readonly Message[]) => {
      this.sent.push(`${name}=${types(messages)}`);
    };
    const type = wait === 'turn' ? 'append' : wait;
    this.answers.open(from, [{ type } as Message], reply, nowMs);
  }
}

const types = (messages: readonly Message[]) => messages.map(({ type }) => type).join();

describe('answers', () => {
  it('go back on the request of the peer that they are for, the rest by its link', () => {
    const rig = new Rig();
    rig.open('b', 'turn');
    rig.open('c', 'turn');
    const messages = [appendReply('b'), timeoutNow('b'), appendReply('c'), appendReply('d')];
    rig.answers.release(rig.answers.take(), messages);
    expect(rig.sent).toEqual(['b=appendReply', 'c=appendReply', 'b:timeoutNow', 'd:appendReply']);
  });

  it('go back once when a peer has two requests open; both end', () => {
    const rig = new Rig();
    rig.open('b', 'turn', 'first');
    rig.open('b', 'turn', 'second');
    rig.answers.release(rig.answers.take(), [appendReply('b', 1), appendReply('b', 2)]);
    expect(rig.sent).toEqual(['first=appendReply,appendReply', 'second=']);
    expect(rig.answers.take()).toEqual([]);
  });

  it('to proposals wait for the commit, one at a time', () => {
    const rig = new Rig();
    rig.open('b', 'propose', 'first');
    rig.open('c', 'propose', 'other');
    expect(rig.answers.take()).toEqual([]);
    rig.answers.sendNow([commit('b'), timeoutNow('b')], []);
    expect(rig.sent).toEqual(['first=commit', 'b:timeoutNow']);
    rig.answers.sendNow([commit('b')], []);
    expect(rig.sent.slice(2)).toEqual(['b:commit']);
  });

  it('to proposals end where nobody leads', () => {
    const rig = new Rig();
    rig.open('b', 'propose');
    rig.open('c', 'read');
    rig.answers.endProposals();
    expect(rig.sent).toEqual(['b=']);
  });

  it('to a question for a read index end that question at once, one reply each', () => {
    const rig = new Rig();
    rig.open('b', 'turn', 'append');
    rig.open('b', 'read', 'first');
    rig.open('b', 'read', 'second');
    rig.answers.sendNow([readReply('b', 1), timeoutNow('b')], []);
    expect(rig.sent).toEqual(['first=readReply', 'b:timeoutNow']);
    rig.answers.sendNow([readReply('b', 2), readReply('b', 3)], []);
    expect(rig.sent.slice(2)).toEqual(['second=readReply', 'b:readReply']);
  });

  it('that wait for no disk end a request of this turn each; the others end later', () => {
    const rig = new Rig();
    rig.open('b', 'turn', 'first');
    rig.open('c', 'turn');
    rig.open('b', 'turn', 'second');
    const answering = rig.answers.take();
    rig.answers.sendNow([appendReply('b'), timeoutNow('b'), appendReply('d')], answering);
    expect(rig.sent).toEqual(['first=appendReply', 'b:timeoutNow', 'd:appendReply']);
    rig.answers.release(answering, [appendReply('c')]);
    expect(rig.sent.slice(3)).toEqual(['c=appendReply', 'second=']);
  });

  it('leave by link, by peer, when nobody waits', () => {
    const rig = new Rig();
    rig.answers.sendNow([], []);
    rig.answers.sendNow([timeoutNow('b'), timeoutNow('c'), timeoutNow('b')], []);
    expect(rig.sent).toEqual(['b:timeoutNow,timeoutNow', 'c:timeoutNow']);
  });

  it('end empty for a request that has been open too long', () => {
    const rig = new Rig();
    rig.open('b', 'read', 'old', 10);
    rig.open('b', 'read', 'new', 20);
    rig.open('b', 'propose', 'proposed', 25);
    rig.answers.expire(10, 25);
    expect(rig.sent).toEqual([]);
    rig.answers.expire(20, 20);
    rig.answers.expire(20, 20);
    expect(rig.sent).toEqual(['old=']);
    rig.answers.expire(20, 26);
    expect(rig.sent).toEqual(['old=', 'proposed=']);
    rig.answers.sendNow([readReply('b', 2)], []);
    expect(rig.sent.slice(2)).toEqual(['new=readReply']);
  });

  it('end empty for all, once, when the member stops', () => {
    const rig = new Rig();
    rig.open('b', 'turn');
    rig.open('c', 'read');
    rig.answers.releaseAll();
    rig.answers.releaseAll();
    expect(rig.sent).toEqual(['b=', 'c=']);
  });
});
