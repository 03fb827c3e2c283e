import { assert } from '../src/lib/assert.ts';

/** Buckets to an octave: a bucket is at most 1/64 wide, so a percentile is right to 1.6 percent. */
const subBuckets = 64;
const octaves = 32;

/**
 * Counts of latencies in logarithmic buckets, as an HdrHistogram: of fixed size however long a run
 * is, and histograms of several runs add up to the histogram of them all.
 */
export class Latencies {
  readonly counts: Float64Array<ArrayBufferLike>;

  constructor(counts: Float64Array<ArrayBufferLike> = new Float64Array(subBuckets * octaves)) {
    assert(counts.length === subBuckets * octaves, 'a histogram of this shape');
    this.counts = counts;
  }

  record(us: number, count = 1): void {
    const bucket = bucketOf(us);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + count;
  }

  add(other: Latencies): void {
    other.counts.forEach((count, i) => {
      this.counts[i] = (this.counts[i] ?? 0) + count;
    });
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** The latency in milliseconds that `percent` of the requests do not exceed; null without any. */
  percentileMs(percent: number): number | null {
    const wanted = (this.total * percent) / 100;
    let seen = 0;
    for (const [bucket, count] of this.counts.entries()) {
      seen += count;
      if (count > 0 && seen >= wanted) return middleUs(bucket) / 1_000;
    }
    return null;
  }
}

/** The values below `subBuckets` have a bucket each; above, an octave has `subBuckets` of them. */
function bucketOf(us: number): number {
  const value = Math.max(0, Math.round(us));
  if (value < subBuckets) return value;
  const octave = Math.floor(Math.log2(value / subBuckets)) + 1;
  const offset = Math.floor((value / (subBuckets * 2 ** (octave - 1)) - 1) * subBuckets);
  return Math.min(octave * subBuckets + offset, subBuckets * octaves - 1);
}

function middleUs(bucket: number): number {
  if (bucket < subBuckets) return bucket;
  const octave = Math.floor(bucket / subBuckets);
  const offset = bucket % subBuckets;
  return (subBuckets + offset + 0.5) * 2 ** (octave - 1);
}
