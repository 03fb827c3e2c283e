import { expect, test } from 'vitest';
import { TestNetwork } from './testing.ts';

test('three members elect a leader by time alone and replicate', () => {
  const net = TestNetwork.ofVoters(3);
  net.advance(5_000);
  const leader = net.leader;
  expect(leader).not.toBeNull();
  leader?.propose('a', 'b');
  net.deliver();
  for (const m of net.members.values()) expect(m.appliedTexts).toEqual(['a', 'b']);
});
test('single voter', () => {
  const net = TestNetwork.ofVoters(1);
  net.advance(1);
  expect(net.leader).not.toBeNull();
  net.leader?.propose('a');
  expect(net.member(1).appliedTexts).toEqual(['a']);
});
