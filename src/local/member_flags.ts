import type { Flag, FlagSection } from './flags.ts';

const flag = (name: string, value: string, meaning: string, fallback?: string): Flag => ({
  flag: name,
  value,
  meaning,
  ...(fallback === undefined ? {} : { fallback }),
});

/**
 * The flags of `npm run member`, under etcd's own names. What a member obeys beyond them is in
 * docs/CONFIGURATION.md, and said by its variable.
 */
export const MEMBER_FLAGS: readonly FlagSection[] = [
  [
    'Member',
    [
      flag('name', '<name>', 'What the member is called', 'default'),
      flag('data-dir', '<dir>', 'Where its data lives', '.edgetcd-<name>'),
      flag('listen-client-urls', '<urls>', 'Where it listens for clients', 'http://localhost:2379'),
      flag('listen-peer-urls', '<urls>', 'Where it listens for peers', 'http://localhost:2380'),
      flag(
        'advertise-client-urls',
        '<urls>',
        'Where clients reach it, as the member list says',
        '--listen-client-urls',
      ),
      flag(
        'initial-advertise-peer-urls',
        '<url>',
        'Where its peers reach it',
        'http://localhost:2380',
      ),
      flag('heartbeat-interval', '<ms>', 'Between two heartbeats of a leader', '100'),
      flag('election-timeout', '<ms>', 'Without a leader before an election', '1000'),
      flag('snapshot-count', '<n>', 'Entries between two compactions of the log', '10000'),
      flag('quota-backend-bytes', '<n>', 'Bytes of data before an alarm; 0 is 2 GiB', '0'),
      flag('log-level', '<level>', 'Lines shown: debug, info, warn, error', 'info'),
    ],
  ],
  [
    'Bootstrap, at the first start (one of the three)',
    [
      flag(
        'initial-cluster',
        '<name=url,…>',
        'All founders of the cluster, this one among them',
        '<name>=<initial-advertise-peer-urls>',
      ),
      flag('discovery', '<url>', 'A discovery URL, under which the founders find each other'),
      flag('discovery-srv', '<domain>', 'The domain whose DNS SRV records name the founders'),
    ],
  ],
  [
    'and with them',
    [
      flag('initial-cluster-state', '<new|existing>', 'Found a cluster, or join one', 'new'),
      flag('initial-cluster-token', '<token>', 'Goes into all ids', 'etcd-cluster'),
      flag('discovery-srv-name', '<suffix>', 'Look for _etcd-server-<suffix> instead'),
      flag('discovery-fallback', '<exit>', 'What to do when the cluster is full', 'exit'),
    ],
  ],
];
