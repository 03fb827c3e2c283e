import { create } from '@bufbuild/protobuf';
import { Permission_Type } from '../../../src/api/gen/auth_pb.ts';
import { AuthBootstrapSchema, type Command } from '../../../src/api/gen/command_pb.ts';
import {
  AuthDisableRequestSchema,
  AuthEnableRequestSchema,
  AuthRoleAddRequestSchema,
  AuthRoleGrantPermissionRequestSchema,
  AuthRoleRevokePermissionRequestSchema,
  AuthUserAddRequestSchema,
  AuthUserDeleteRequestSchema,
  AuthUserGrantRoleRequestSchema,
  AuthUserRevokeRoleRequestSchema,
} from '../../../src/api/gen/rpc_pb.ts';
import { EMPTY_BYTES, utf8 } from '../../../src/lib/bytes.ts';
import { intBetween } from '../../../src/lib/prng.ts';
import type { Clients } from '../clients.ts';
import { chance, pick } from '../random.ts';
import { USERS } from '../users.ts';
import type { Scene } from './scene.ts';
import type { Workload } from './workload.ts';

const ROLES = ['reader', 'writer'] as const;
const OPEN_END = new Uint8Array([0]);

/** Somebody who gives rights to users and takes them away while they are at work. */
export class AdminWorkload implements Workload {
  readonly goals = [];
  readonly #scene: Scene;
  readonly #clients: Clients;

  constructor(scene: Scene, clients: Clients) {
    this.#scene = scene;
    this.#clients = clients;
  }

  start(): void {
    this.#begin(0);
    this.#act();
  }

  /** Until it has come through: the way in, users and roles. */
  #begin(step: number): void {
    const first: Command['request'][] = [
      { case: 'authBootstrap', value: create(AuthBootstrapSchema, { rootHash: 'hash' }) },
      ...ROLES.map((name) => ({
        case: 'authRoleAdd' as const,
        value: create(AuthRoleAddRequestSchema, { name }),
      })),
    ];
    const request = first[step];
    if (request === undefined) return;
    this.#scene.later(this.#scene.world.plan.electionTimeoutMs / 2, () => {
      const instance = this.#scene.choose();
      if (instance === null) return this.#begin(step);
      this.#clients.command(instance, request, (error) =>
        this.#begin(error === null ? step + 1 : step),
      );
    });
  }

  #act(): void {
    this.#scene.later(this.#scene.world.plan.electionTimeoutMs / 3, () => {
      const instance = this.#scene.choose();
      if (instance !== null) {
        this.#scene.world.coverage.add('rightsChanged');
        this.#clients.command(
          instance,
          this.#draw(),
          () => {},
          this.#clients.callerAt(instance, 'root'),
        );
      }
      this.#act();
    });
  }

  #draw(): Command['request'] {
    const { prng } = this.#scene;
    const [user, role] = [pick(prng, USERS), pick(prng, ROLES)];
    const kind = prng.next();
    if (kind < 0.15) {
      return {
        case: 'authUserAdd',
        value: create(AuthUserAddRequestSchema, { name: user, options: { noPassword: true } }),
      };
    }
    if (kind < 0.2) {
      return { case: 'authUserDelete', value: create(AuthUserDeleteRequestSchema, { name: user }) };
    }
    if (kind < 0.45) {
      return {
        case: 'authUserGrantRole',
        value: create(AuthUserGrantRoleRequestSchema, { user, role }),
      };
    }
    if (kind < 0.5) {
      return {
        case: 'authUserRevokeRole',
        value: create(AuthUserRevokeRoleRequestSchema, { name: user, role }),
      };
    }
    if (kind < 0.53) return { case: 'authDisable', value: create(AuthDisableRequestSchema) };
    if (kind < 0.6) return { case: 'authEnable', value: create(AuthEnableRequestSchema) };
    const range = this.#range();
    if (kind < 0.68) {
      return {
        case: 'authRoleRevokePermission',
        value: create(AuthRoleRevokePermissionRequestSchema, { role, ...range }),
      };
    }
    const permType = pick(prng, [
      Permission_Type.READ,
      Permission_Type.WRITE,
      Permission_Type.READWRITE,
    ]);
    const perm = { permType, ...range };
    return {
      case: 'authRoleGrantPermission',
      value: create(AuthRoleGrantPermissionRequestSchema, { name: role, perm }),
    };
  }

  /** Few, so that they meet. */
  #range(): { key: Uint8Array; rangeEnd: Uint8Array } {
    const { prng } = this.#scene;
    const from = intBetween(prng, 0, 9);
    if (chance(prng, 0.4)) return { key: utf8(`k${from}`), rangeEnd: EMPTY_BYTES };
    if (chance(prng, 0.2)) return { key: OPEN_END, rangeEnd: OPEN_END };
    return { key: utf8(`k${from >> 1}`), rangeEnd: utf8(`k${(from >> 1) + 4}`) };
  }
}
