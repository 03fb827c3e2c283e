import { hunt } from './bug_hunt.ts';
import { CORE_BUGS, CORE_BUGS_OF_FIVE } from './bugs.ts';
import { PROFILES } from './plan.ts';

for (const profile of PROFILES) hunt(profile, CORE_BUGS[profile] ?? []);
hunt('plain', CORE_BUGS_OF_FIVE, 5);
