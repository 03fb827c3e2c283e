import { hunt } from './bug_hunt.ts';
import { CORE_BUGS } from './bugs.ts';
import { PROFILES } from './plan.ts';

for (const profile of PROFILES) hunt(profile, CORE_BUGS[profile] ?? []);
