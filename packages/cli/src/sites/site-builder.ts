import { rmSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { failure } from "@tributary/core";
import { hashSources, isComplete, SiteCache, type Site } from "./site-cache.ts";

export type SiteState =
  | { readonly phase: "unbuilt" }
  | { readonly phase: "building" }
  | { readonly phase: "ready"; readonly folder: string }
  | { readonly phase: "failed"; readonly reason: string };

/** Builds a site on first use, once, in a worker thread, and remembers the result by the hash of its sources. */
export interface SiteBuilder {
  readonly state: SiteState;
  /** The folder to serve, or undefined while it is being built; the first call starts the build. */
  request(): string | undefined;
  /** Settles when the build under way has ended. */
  settled(): Promise<SiteState>;
  close(): Promise<void>;
}

const WORKER = new URL(
  import.meta.url.endsWith(".ts") ? "./build-worker.ts" : "./build-worker.js",
  import.meta.url,
);

export function createSiteBuilder(
  site: Site,
  cache: SiteCache,
  onState: (state: SiteState) => void = () => {},
): SiteBuilder {
  let state: SiteState = { phase: "unbuilt" };
  let worker: Worker | undefined;
  let running: Promise<void> | undefined;
  let closed = false;

  const enter = (next: SiteState): void => {
    state = next;
    onState(next);
  };

  const build = async (): Promise<void> => {
    const hash = hashSources(site);
    const cached = cache.find(site, hash);
    if (cached !== undefined) return enter({ phase: "ready", folder: cached });
    enter({ phase: "building" });
    const staged = cache.staging(site, hash);
    try {
      worker = new Worker(WORKER, { workerData: { root: site.root, outDir: staged } });
      await outcome(worker, site);
      if (!closed) enter({ phase: "ready", folder: cache.publish(site, hash, staged) });
    } catch (error) {
      if (!closed) enter({ phase: "failed", reason: (error as Error).message });
    } finally {
      await worker?.terminate();
      worker = undefined;
      rmSync(staged, { recursive: true, force: true });
    }
  };

  return {
    get state() {
      return state;
    },
    request() {
      // Another process has built newer sources and forgotten this build.
      if (state.phase === "ready" && !isComplete(state.folder)) {
        state = { phase: "unbuilt" };
        running = undefined;
      }
      if (state.phase === "unbuilt" && !closed) running ??= build();
      return state.phase === "ready" ? state.folder : undefined;
    },
    async settled() {
      await running;
      return state;
    },
    async close() {
      closed = true;
      await worker?.terminate();
      await running;
    },
  };
}

function outcome(worker: Worker, site: Site): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (message: string): void =>
      reject(
        failure("cli/build-failed", `building the ${site.name}: ${message}`, { detail: { site: site.name } }),
      );
    worker.once("message", (answer: { ok: boolean; message?: string }) =>
      answer.ok ? resolve() : fail(answer.message ?? "unknown reason"),
    );
    worker.once("error", (error) => fail(error.message));
    worker.once("exit", (code) => fail(`the worker ended with code ${code}`));
  });
}
