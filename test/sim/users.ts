/** Who works where rights are exercised. */
export const USERS = ['alice', 'bob', 'carol'] as const;
