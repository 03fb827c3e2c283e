import { hunt } from './bug_hunt.ts';
import { CORE_BUGS, CORE_BUGS_OF_FIVE, CORE_BUGS_OF_THREE } from './bugs.ts';
import { PROFILES } from './plan.ts';

for (const profile of PROFILES) hunt(profile, CORE_BUGS[profile] ?? []);
hunt('plain', CORE_BUGS_OF_THREE, 3);
hunt('plain', CORE_BUGS_OF_FIVE, 5);
