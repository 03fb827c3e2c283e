import { hunt } from './bug_hunt.ts';
import { SERVICE_BUGS } from './bugs.ts';
import { PROFILES } from './plan.ts';

for (const profile of PROFILES) hunt(profile, SERVICE_BUGS[profile] ?? []);
