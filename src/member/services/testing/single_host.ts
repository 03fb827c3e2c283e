import type { Command } from '../../../api/gen/command_pb.ts';
import type { Single } from '../../../state/testing/single.ts';
import type { ServiceHost } from '../service.ts';

/**
 * A member of which only the state is real: what is proposed is applied at once.
 * @param of the state as it is now: a test may begin with another one
 * @param linearizable brings what others have done meanwhile
 */
export function singleHost(of: () => Single, linearizable = async () => {}): ServiceHost {
  return {
    get machine() {
      return of().machine;
    },
    linearizable,
    propose: async (request: Command['request']) => {
      const result = of().apply(request);
      if (result.error) throw result.error;
      return result;
    },
    header: () => undefined,
  } as unknown as ServiceHost;
}
