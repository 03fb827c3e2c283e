/** Who is served: everyone, who has logged in, or nobody because authentication is off. */
export type Access = 'open' | 'login' | 'closed';

/** What a user who sees the cluster for the first time can do next, as lines to be copied. */
export function firstSteps(access: Access, url: string): string[] {
  switch (access) {
    case 'open':
      return [
        '# keys and values are base64: foo is Zm9v, bar is YmFy',
        `curl ${url}/v3/kv/put -d '{"key":"Zm9v","value":"YmFy"}'`,
        `curl ${url}/v3/kv/range -d '{"key":"Zm9v"}'`,
      ];
    case 'login':
      return [
        '# authentication is on: log in, and send the token that is answered',
        `curl ${url}/v3/auth/authenticate -d '{"name":"root","password":"<password>"}'`,
        `curl ${url}/v3/kv/range -H 'Authorization: <token>' -d '{"key":"Zm9v"}'`,
      ];
    case 'closed':
      return [
        'It is closed: nobody is served, and nobody can log in. Two variables open it at the next start:',
        '  ETCD_ROOT_PASSWORD=<password>  has authentication enabled, once, with the user root',
        '  ALLOW_NONE_AUTHENTICATION=yes  serves everyone who can reach it; so does leaving it out',
      ];
  }
}
