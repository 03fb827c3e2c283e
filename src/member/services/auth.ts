import { create, type DescMessage, type DescMethod, type MessageShape } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import {
  Auth,
  AuthenticateResponseSchema,
  AuthRoleGetResponseSchema,
  AuthRoleListResponseSchema,
  AuthStatusResponseSchema,
  type AuthUserAddRequest,
  type AuthUserChangePasswordRequest,
  AuthUserGetResponseSchema,
  AuthUserListResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { ROOT, ROOT_PERMISSION } from '../../state/auth/permissions.ts';
import { validatePermission, validateRoleAdd, validateUserAdd } from '../../state/auth/validate.ts';
import { isPasswordHash } from '../auth/passwords.ts';
import { type Route, type ServiceHost, unary } from './service.ts';

/** etcd's Auth service. */
export function authService(host: ServiceHost): Route[] {
  return [
    unary(Auth.method.authenticate, async ({ name, password }, context) => {
      const token = await host.authentication.logIn(name, password, context);
      return create(AuthenticateResponseSchema, { header: revisionHeader(host), token });
    }),
    ...changes(host),
    ...reads(host),
  ];
}

type Case = NonNullable<Command['request']['case']>;
type RequestOf<C extends Case> = Extract<Command['request'], { case: C }>['value'];

/** The methods that are proposed, some after a look at what the client sent. */
function changes(host: ServiceHost): Route[] {
  const { method } = Auth;
  return [
    change(host, method.authEnable, 'authEnable'),
    change(host, method.authDisable, 'authDisable'),
    change(host, method.userAdd, 'authUserAdd', (request) => hashedUser(host, request)),
    change(host, method.userDelete, 'authUserDelete'),
    change(host, method.userChangePassword, 'authUserChangePassword', (request) =>
      hashedPassword(host, request),
    ),
    change(host, method.userGrantRole, 'authUserGrantRole'),
    change(host, method.userRevokeRole, 'authUserRevokeRole'),
    change(host, method.roleAdd, 'authRoleAdd', (request) => {
      validateRoleAdd(request);
      return request;
    }),
    change(host, method.roleDelete, 'authRoleDelete'),
    change(host, method.roleGrantPermission, 'authRoleGrantPermission', (request) => {
      validatePermission(request);
      return request;
    }),
    change(host, method.roleRevokePermission, 'authRoleRevokePermission'),
  ];
}

/** A method whose request is a command, or becomes one. */
function change<C extends Case, I extends DescMessage, O extends DescMessage>(
  host: ServiceHost,
  method: DescMethod & { readonly input: I; readonly output: O },
  name: C,
  prepare?: (request: RequestOf<C>) => RequestOf<C> | Promise<RequestOf<C>>,
): Route {
  return unary(method, async (request, context) => {
    const given = request as RequestOf<C>;
    const value = prepare ? await prepare(given) : given;
    const result = await host.propose({ case: name, value } as Command['request'], context);
    const header = host.header(result.revision);
    return Object.assign(result.response as MessageShape<O>, { header });
  });
}

/** The password stays here; what is sent as its hash is ignored, as in etcd. */
async function hashedUser(host: ServiceHost, request: AuthUserAddRequest) {
  validateUserAdd({ ...request, hashedPassword: '' });
  const hash = request.options?.noPassword ? '' : await passwordHash(host, request.password);
  return { ...request, password: '', hashedPassword: hash };
}

/** Without a password the client's own hash of it is taken. */
async function hashedPassword(host: ServiceHost, request: AuthUserChangePasswordRequest) {
  const { password } = request;
  const hash = password === '' ? ownHash(request) : await passwordHash(host, password);
  return { ...request, password: '', hashedPassword: hash };
}

function passwordHash(host: ServiceHost, password: string): Promise<string> {
  return host.authentication.passwords.hash(password);
}

function ownHash({ hashedPassword: encoded }: AuthUserChangePasswordRequest): string {
  const hash = decodeBase64(encoded);
  if (hash === '' || isPasswordHash(hash)) return hash;
  throw EtcdError.of('passwordHashUnknown');
}

function decodeBase64(text: string): string {
  try {
    return atob(text);
  } catch {
    throw EtcdError.of('passwordHashUnknown');
  }
}

/** The methods that only look: linearizable, as etcd's, which go through the log. */
function reads(host: ServiceHost): Route[] {
  const { method } = Auth;
  const looking = async (context: CallContext) => {
    await host.linearizable(context);
    const { auth, authorizer } = host.machine;
    return { auth, authorizer, caller: host.caller(context), header: revisionHeader(host) };
  };
  return [
    unary(method.authStatus, async (_request, context) => {
      const { auth, authorizer, caller, header } = await looking(context);
      authorizer.checkAdmin(caller);
      const { enabled, revision } = auth;
      return create(AuthStatusResponseSchema, { header, enabled, authRevision: BigInt(revision) });
    }),
    unary(method.userGet, async ({ name }, context) => {
      const { auth, authorizer, caller, header } = await looking(context);
      authorizer.checkUserRecord(caller, name);
      const user = auth.user(name);
      if (user === null) throw EtcdError.of('userNotFound');
      return create(AuthUserGetResponseSchema, { header, roles: [...user.roles] });
    }),
    unary(method.userList, async (_request, context) => {
      const { auth, authorizer, caller, header } = await looking(context);
      authorizer.checkAdmin(caller);
      const users = Array.from(auth.users(), ({ name }) => name);
      return create(AuthUserListResponseSchema, { header, users });
    }),
    unary(method.roleGet, async ({ role: name }, context) => {
      const { auth, authorizer, caller, header } = await looking(context);
      authorizer.checkRoleRecord(caller, name);
      const role = auth.role(name);
      if (role === null) throw EtcdError.of('roleNotFound');
      const perm = name === ROOT ? [ROOT_PERMISSION] : [...role.permissions];
      return create(AuthRoleGetResponseSchema, { header, perm });
    }),
    unary(method.roleList, async (_request, context) => {
      const { auth, authorizer, caller, header } = await looking(context);
      authorizer.checkAdmin(caller);
      const roles = Array.from(auth.roles(), ({ name }) => name);
      return create(AuthRoleListResponseSchema, { header, roles });
    }),
  ];
}

function revisionHeader(host: ServiceHost) {
  return host.header(host.machine.revision);
}
