import { describe, expect, test } from 'vitest';
import { CoreScript } from './commands.ts';
import { replay, titleOf } from './script.ts';

describe('a script', () => {
  test('is named by the first sentence of its comment', () => {
    expect(titleOf('# One\n# sentence (thesis §3.4). Another.\ncluster 1\n')).toBe(
      'One sentence (thesis §3.4)',
    );
    expect(() => titleOf('cluster 1\n')).toThrow('begins with a comment');
  });

  test('is printed anew: comments and commands stay, output is replaced', () => {
    const script = '# A story.\ncluster 3\n\npropose 1 a # nobody leads\n> 1 applies 1=a\n';
    expect(replay(script, new CoreScript())).toBe(
      '# A story.\ncluster 3\n\npropose 1 a # nobody leads\n> 1 drops a\n',
    );
  });

  test('fails at the line whose expectation does not hold', () => {
    const script = '# A story.\ncluster 3 leader 1\n\nexpect leader 2\n';
    expect(() => replay(script, new CoreScript())).toThrow(
      'line 4: expect leader 2: the leader is 1',
    );
  });

  test('fails at a command that is not known or does nothing', () => {
    expect(() => replay('cluster 3\ndance 1\n', new CoreScript())).toThrow('no command dance');
    expect(() => replay('cluster 3\ndeliver\n', new CoreScript())).toThrow('nothing to deliver');
    expect(() => replay('cluster 3\nexpect 1 happy\n', new CoreScript())).toThrow('happy');
  });
});

describe('the world of a script', () => {
  test('loses at a crash what its disk has not confirmed, and only that', () => {
    const script = [
      'cluster 3 leader 1',
      'disk 2 manual',
      'propose 1 a',
      'settle',
      'persist 2 1',
      'propose 1 b',
      'settle',
      'crash 2',
      'restart 2',
      'expect 2 durable 2 last 2',
    ];
    expect(() => replay(script.join('\n'), new CoreScript())).not.toThrow();
  });

  test('fails when two members lead one term, whatever the script expects', () => {
    const twoVotes = [
      'cluster 3',
      'hold 3->2 vote',
      'campaign 1',
      'campaign 3',
      'deliver preVote',
      'deliver preVoteReply',
      'drop 1->3 vote',
      'drop 3->1 vote',
      'hold 1->2 append',
      'deliver 1->2',
      'deliver 2->1',
      'release',
      'deliver 3->2 vote',
      'deliver 2->3',
    ];
    const bugs = new Set(['vote-twice-in-term']);
    expect(() => replay(twoVotes.join('\n'), new CoreScript())).not.toThrow();
    expect(() => replay(twoVotes.join('\n'), new CoreScript(bugs))).toThrow('both lead term 1');
  });
});
