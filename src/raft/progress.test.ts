import { describe, expect, test } from 'vitest';
import { votersOnly } from './membership.ts';
import { Progress } from './progress.ts';

function replicating(match: number): Progress {
  const progress = new Progress(match + 1, 0);
  progress.accepted(match, 1);
  return progress;
}

describe('probe', () => {
  test('allows one append until there is an answer', () => {
    const progress = new Progress(5, 0);
    expect(progress.isPaused(4)).toBe(false);
    progress.sent(7, 0);
    expect(progress.isPaused(4)).toBe(true);
    expect(progress.next).toBe(5);
  });

  test('becomes replicate at the first acceptance', () => {
    const progress = new Progress(5, 0);
    progress.sent(7, 0);
    expect(progress.accepted(7, 1)).toBe(true);
    expect([progress.state, progress.match, progress.next]).toEqual(['replicate', 7, 8]);
  });

  test('goes back to where the logs may meet', () => {
    const progress = new Progress(10, 0);
    progress.sent(12, 0);
    progress.refused(9, 4);
    expect([progress.state, progress.next, progress.isPaused(4)]).toEqual(['probe', 5, false]);
  });

  test('ignores the refusal of another probe', () => {
    const progress = new Progress(10, 0);
    progress.sent(12, 0);
    progress.refused(7, 2);
    expect([progress.next, progress.isPaused(4)]).toEqual([10, true]);
  });

  test('never goes below what is proven, nor stays where it was refused', () => {
    const progress = replicating(4);
    progress.sent(8, 0);
    progress.refused(8, 8);
    expect(progress.next).toBe(8);
    progress.refused(7, 0);
    expect(progress.next).toBe(5);
  });
});

describe('replicate', () => {
  test('pipelines within the window', () => {
    const progress = replicating(1);
    progress.sent(2, 10);
    progress.sent(4, 20);
    expect([progress.next, progress.inflight, progress.oldestInflightMs]).toEqual([5, 2, 10]);
    expect(progress.isPaused(2)).toBe(true);
    progress.accepted(2, 1);
    expect([progress.inflight, progress.isPaused(2), progress.oldestInflightMs]).toEqual([
      1,
      false,
      20,
    ]);
  });

  test('an answer to a later append frees the earlier ones', () => {
    const progress = replicating(1);
    for (const last of [2, 3, 4]) progress.sent(last, 0);
    progress.accepted(4, 1);
    expect(progress.inflight).toBe(0);
  });

  test('is unmoved by late and repeated answers', () => {
    const progress = replicating(5);
    progress.sent(9, 0);
    expect(progress.accepted(3, 1)).toBe(false);
    expect(progress.accepted(5, 1)).toBe(false);
    progress.refused(5, 0);
    progress.refused(2, 0);
    expect([progress.state, progress.match, progress.next, progress.inflight]).toEqual([
      'replicate',
      5,
      10,
      1,
    ]);
  });

  test('a refusal beyond what is proven means loss: probe from the hint', () => {
    const progress = replicating(5);
    progress.sent(9, 0);
    progress.refused(9, 7);
    expect([progress.state, progress.next, progress.inflight]).toEqual(['probe', 8, 0]);
  });

  test('never sends again what was sent', () => {
    const progress = replicating(5);
    progress.sent(9, 0);
    expect(() => progress.sent(7, 0)).toThrow(/sent again/);
  });
});

describe('snapshot', () => {
  test('sends no entries until the peer has caught up with the log', () => {
    const progress = new Progress(3, 0);
    progress.needSnapshot();
    expect(progress.isPaused(4)).toBe(true);
    expect(() => progress.sent(3, 0)).toThrow(/snapshot/);
    progress.accepted(7, 10);
    expect(progress.state).toBe('snapshot');
    progress.accepted(9, 10);
    expect([progress.state, progress.next]).toEqual(['replicate', 10]);
  });

  test('is asked for again when the log was compacted beyond it', () => {
    const progress = new Progress(3, 0);
    progress.needSnapshot();
    const confState = votersOnly([]);
    progress.staged = { index: 8, term: 1, transferId: 'x', stagedMs: 0, confState };
    progress.accepted(8, 20);
    expect([progress.state, progress.next, progress.staged]).toEqual(['probe', 9, null]);
  });

  test('is not disturbed by refusals', () => {
    const progress = new Progress(3, 0);
    progress.needSnapshot();
    progress.refused(2, 0);
    expect(progress.state).toBe('snapshot');
  });
});
