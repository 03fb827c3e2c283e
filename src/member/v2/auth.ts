import { create } from '@bufbuild/protobuf';
import type { Command } from '../../api/gen/command_pb.ts';
import {
  V2AuthSwitchSchema,
  type V2Permissions,
  V2PermissionsSchema,
  V2RoleDeleteSchema,
  V2RolePutSchema,
  V2UserDeleteSchema,
  V2UserPutSchema,
} from '../../api/gen/command_pb.ts';
import { V2AuthError } from '../../api/v2/auth_error.ts';
import type { V2AdminRequest } from '../../api/v2/call.ts';
import { limits } from '../../config.ts';
import type { V2Accounts, V2Role, V2User } from '../../state/v2/accounts.ts';
import { type JsonObject, objectOf, stringsOf } from './body.ts';
import type { V2Host } from './host.ts';
import type { V2Logins } from './logins.ts';
import { clusterHeader, message, V2_CONTEXT, type V2Answer, v2Json } from './reply.ts';

const BAD_JSON = 'Invalid JSON in request body.';

/** /v2/auth: users and roles, and whether anybody asks for them. */
export class V2Auth {
  readonly #host: V2Host;
  readonly #logins: V2Logins;

  constructor(host: V2Host, logins: V2Logins) {
    this.#host = host;
    this.#logins = logins;
  }

  /** @param user who asks. @throws EtcdError */
  async serve(request: V2AdminRequest, user: string): Promise<V2Answer> {
    const [kind = '', name = '', ...others] = request.rest.split('/').filter(Boolean);
    if (others.length > 0) return message(400, 'Invalid path', {});
    if (kind === 'enable') return this.#enable(request.method, user);
    // Whoever has just changed something sees it, wherever that was.
    if (request.method === 'GET') await this.#host.linearizable(V2_CONTEXT);
    if (name === '') return kind === 'users' ? this.#users() : this.#roles();
    return kind === 'users' ? this.#user(request, name, user) : this.#role(request, name, user);
  }

  async #enable(method: string, asker: string): Promise<V2Answer> {
    if (method === 'GET') return this.#json(200, { enabled: this.#accounts.enabled });
    const value = create(V2AuthSwitchSchema, { asker, enabled: method === 'PUT' });
    await this.#propose({ case: 'v2AuthSwitch', value });
    return this.#done();
  }

  #users(): V2Answer {
    const accounts = this.#accounts;
    const names = accounts.userNames();
    const users = names.map((name) => {
      const known = (accounts.user(name)?.roles ?? []).map((role) => accounts.role(role));
      return userWithRoles(
        name,
        known.filter((role) => role !== null),
      );
    });
    // Go's empty list, which nothing was ever put into.
    return this.#json(200, { users: users.length === 0 ? null : users });
  }

  #roles(): V2Answer {
    const accounts = this.#accounts;
    const roles = accounts.roleNames().map((name) => accounts.role(name));
    return this.#json(200, { roles: roles.filter((role) => role !== null).map(shownRole) });
  }

  async #user(request: V2AdminRequest, name: string, asker: string): Promise<V2Answer> {
    const { method, body } = request;
    if (method === 'PUT') return this.#putUser(name, body, asker);
    if (method === 'DELETE') {
      const value = create(V2UserDeleteSchema, { asker, name });
      await this.#propose({ case: 'v2UserDelete', value });
      return this.#done();
    }
    const accounts = this.#accounts;
    const user = accounts.user(name);
    if (user === null) throw new V2AuthError('userUnknown', name);
    const roles = (user.roles ?? []).map((role) => {
      const known = accounts.role(role);
      if (known === null) throw new V2AuthError('roleUnknown', role);
      return known;
    });
    return this.#json(200, userWithRoles(name, roles));
  }

  async #putUser(name: string, body: string, asker: string): Promise<V2Answer> {
    const object = objectOf(body);
    const lists = ['roles', 'grant', 'revoke'].map((field) => stringsOf(object?.[field]));
    const [roles, grant, revoke] = lists;
    const password = object?.['password'] ?? '';
    if (!roles || !grant || !revoke || typeof password !== 'string' || object === null) {
      return this.#refusal(BAD_JSON);
    }
    if (object['user'] !== name) {
      return this.#refusal('User JSON name does not match the name in the URL');
    }
    if (roles.length > 0 && grant.length + revoke.length > 0) {
      return this.#refusal('User JSON contains both roles and grant/revoke');
    }
    checkSize(body);
    const passwordHash =
      password === '' ? '' : await this.#host.authentication.passwords.hash(password);
    const named = { roles: [...roles], grant: [...grant], revoke: [...revoke] };
    const value = create(V2UserPutSchema, { asker, name, passwordHash, ...named });
    const result = await this.#propose({ case: 'v2UserPut', value });
    const { user, isNew } = result.response as { user: V2User; isNew: boolean };
    return this.#json(isNew ? 201 : 200, { user: name, roles: user.roles });
  }

  async #role(request: V2AdminRequest, name: string, asker: string): Promise<V2Answer> {
    const { method, body } = request;
    if (method === 'PUT') return this.#putRole(name, body, asker);
    if (method === 'DELETE') {
      const value = create(V2RoleDeleteSchema, { asker, name });
      await this.#propose({ case: 'v2RoleDelete', value });
      return this.#done();
    }
    const role = this.#accounts.role(name);
    if (role === null) throw new V2AuthError('roleUnknown', name);
    return this.#json(200, shownRole(role));
  }

  async #putRole(name: string, body: string, asker: string): Promise<V2Answer> {
    const object = objectOf(body);
    const fields = ['permissions', 'grant', 'revoke'].map((field) =>
      permissionsOf(object?.[field]),
    );
    const [permissions, grant, revoke] = fields;
    if (!permissions || !grant || !revoke || object === null) return this.#refusal(BAD_JSON);
    if (object['role'] !== name) {
      return this.#refusal('Role JSON name does not match the name in the URL');
    }
    const isChange = !isEmpty(grant) || !isEmpty(revoke);
    if (isChange && !isEmpty(permissions)) {
      return this.#refusal('Role JSON contains both permissions and grant/revoke');
    }
    checkSize(body);
    const value = create(V2RolePutSchema, { asker, name, permissions, grant, revoke });
    const result = await this.#propose({ case: 'v2RolePut', value });
    return this.#json(isChange ? 200 : 201, shownRole(result.response as V2Role));
  }

  #propose(request: Command['request']) {
    return this.#host.proposeOwn(request, V2_CONTEXT);
  }

  get #accounts(): V2Accounts {
    return this.#logins.accounts;
  }

  get #headers(): Record<string, string> {
    return clusterHeader(this.#host.identity.clusterId);
  }

  #json(status: number, value: unknown): V2Answer {
    return v2Json(status, this.#headers, `${JSON.stringify(value)}\n`);
  }

  #done(): V2Answer {
    return v2Json(200, this.#headers, '');
  }

  #refusal(text: string): V2Answer {
    return message(400, text, this.#headers);
  }
}

function userWithRoles(user: string, roles: readonly V2Role[]) {
  return roles.length === 0 ? { user } : { user, roles: roles.map(shownRole) };
}

function shownRole({ name, permits: { read, write } }: V2Role) {
  return { role: name, permissions: { kv: { read, write } } };
}

/** `{"kv":{"read":[…],"write":[…]}}`; null where it is something else. */
function permissionsOf(value: unknown): V2Permissions | null {
  const kv = fieldsOf(fieldsOf(value)['kv']);
  const [read, write] = [stringsOf(kv['read']), stringsOf(kv['write'])];
  if (read === null || write === null) return null;
  return create(V2PermissionsSchema, { read: [...read], write: [...write] });
}

function fieldsOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isEmpty({ read, write }: V2Permissions): boolean {
  return read.length + write.length === 0;
}

/** @throws V2AuthError */
function checkSize(body: string): void {
  if (body.length > limits.v2AuthRequestCharsMax) throw new V2AuthError('tooLarge');
}
