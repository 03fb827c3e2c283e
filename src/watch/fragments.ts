import type { Event } from '../api/gen/kv_pb.ts';
import { marshalledSize } from '../api/size.ts';

/**
 * Events in groups of less than so many bytes, one at least in each: the parts of a response that
 * would be too large for its client. As in etcd, a revision may be split.
 */
export function fragmentsOf(events: readonly Event[], bytesMax: number): Event[][] {
  const fragments: Event[][] = [];
  let fragment: Event[] = [];
  let bytes = 0;
  for (const event of events) {
    // A tag, and a length of five bytes at most.
    const size = marshalledSize(event) + 6;
    if (fragment.length > 0 && bytes + size >= bytesMax) {
      fragments.push(fragment);
      fragment = [];
      bytes = 0;
    }
    fragment.push(event);
    bytes += size;
  }
  fragments.push(fragment);
  return fragments;
}
