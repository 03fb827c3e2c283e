// A process of its own, so that what it costs is not taken for the bridge's share.
import { register } from 'tsx/esm/api';

register();
await import('./grpc_worker.ts');
