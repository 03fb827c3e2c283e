// A thread does not inherit what the bootstrap registered, and Node itself reads no TypeScript.
import { register } from 'tsx/esm/api';

register();
await import('./builtin_worker.ts');
