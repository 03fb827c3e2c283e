/// <reference types="@cloudflare/vitest-pool-workers/types" />

declare namespace Cloudflare {
  interface Env {
    readonly MEMBER: DurableObjectNamespace<import('../../src/worker.ts').EtcdMember>;
  }
  interface GlobalProps {
    mainModule: typeof import('../../src/worker.ts');
  }
}
