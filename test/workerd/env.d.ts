/// <reference types="@cloudflare/vitest-pool-workers/types" />

declare namespace Cloudflare {
  interface Env {
    readonly MEMBER: DurableObjectNamespace<import('../../src/worker.ts').EtcdMember>;
    /** Another cluster, by a service binding. */
    readonly DEPLOYMENT: Fetcher;
  }
  interface GlobalProps {
    mainModule: typeof import('../../src/worker.ts');
  }
}
