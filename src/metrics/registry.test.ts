import { describe, expect, it } from 'vitest';
import { InvariantError } from '../lib/assert.ts';
import { Registry } from './registry.ts';

describe('the text format', () => {
  it('renders counters and gauges', () => {
    const registry = new Registry();
    registry.counter('a_total', 'As.').inc(2);
    const gauge = registry.gauge('b', 'Bs.');
    gauge.set(1.5);
    gauge.add(-2);
    expect(registry.render()).toBe(
      '# HELP a_total As.\n# TYPE a_total counter\na_total 2\n' +
        '# HELP b Bs.\n# TYPE b gauge\nb -0.5\n',
    );
  });

  it('renders a histogram as rising sums with inclusive bounds', () => {
    const registry = new Registry();
    const histogram = registry.histogram('h', 'Hs.', [0.5, 1]);
    for (const value of [0.25, 0.5, 0.75, 8]) histogram.observe(value);
    expect(registry.render()).toBe(
      '# HELP h Hs.\n# TYPE h histogram\nh_bucket{le="0.5"} 2\nh_bucket{le="1"} 3\n' +
        'h_bucket{le="+Inf"} 4\nh_sum 9.5\nh_count 4\n',
    );
  });

  it('puts the labels of a family before the bound', () => {
    const registry = new Registry();
    registry.histograms('h', 'Hs.', ['To'], [1]).with('a').observe(2);
    expect(registry.render()).toContain(
      'h_bucket{To="a",le="1"} 0\nh_bucket{To="a",le="+Inf"} 1\n',
    );
    expect(registry.render()).toContain('h_sum{To="a"} 2\nh_count{To="a"} 1\n');
  });

  it('keeps one metric for equal labels and escapes what they say', () => {
    const registry = new Registry();
    const family = registry.counters('c', 'Two\nlines, one \\.', ['x', 'y']);
    family.with('a"b', 'c\\d\ne').inc();
    family.with('a"b', 'c\\d\ne').inc();
    family.with('a', 'b').inc();
    expect(registry.render()).toBe(
      '# HELP c Two\\nlines, one \\\\.\n# TYPE c counter\n' +
        'c{x="a\\"b",y="c\\\\d\\ne"} 2\nc{x="a",y="b"} 1\n',
    );
  });
});

describe('what a registry refuses', () => {
  it.each<[string, (registry: Registry) => void]>([
    ['the same name twice', (r) => [r.gauge('a', ''), r.counter('a', '')]],
    ['a name that is none', (r) => r.gauge('a-b', '')],
    ['a counter that shrinks', (r) => r.counter('a', '').inc(-1)],
    ['bounds that do not rise', (r) => r.histogram('a', '', [1, 1])],
    [
      'labels without bound',
      (r) => {
        const family = r.counters('a', '', ['key']);
        for (let i = 0; i < 2_000; i++) family.with(String(i)).inc();
      },
    ],
  ])('%s', (_, offend) => {
    expect(() => offend(new Registry())).toThrow(InvariantError);
  });
});
