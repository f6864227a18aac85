import { Worker } from "node:worker_threads";
import { builtInStrategies, type StrategyRegistry } from "@tributary/aggregation";
import {
  failure,
  TributaryError,
  type Digest,
  type ErrorCode,
  type ModelName,
  type ModelVersion,
} from "@tributary/core";
import { gatherStep, reproduceStep, type GatheredStep } from "@tributary/federation/aggregation";
import type { MissingSource, ReproductionView } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { Semaphore } from "../rounds/serial-queue.ts";
import { versionStep } from "./version-step.ts";

/** Operators that may wait for the one step that is taken at a time. */
const MOST_WAITING = 8;

/** What comes out of a step that is taken again. */
export type StepResult = Pick<ReproductionView, "result" | "files">;

export type ReproduceAnswer =
  | { readonly type: "reproduced"; readonly result: StepResult }
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string };

export interface Reproducer {
  /**
   * Takes the step that made a version again, from what is kept of it, and compares.
   *
   * @throws `coordinator/unknown-model`, `coordinator/unknown-version`, `coordinator/busy`, and what the step throws
   */
  reproduce(model: ModelName, version: ModelVersion): Promise<ReproductionView>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** One step at a time, in a thread of its own that lives as long as there is something to do. */
export function createReproducer({
  store,
  blobs,
  strategies,
}: {
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly strategies: StrategyRegistry;
}): Reproducer {
  const turns = new Semaphore(1);
  let thread: Worker | undefined;
  let closed = false;

  const endThread = async (): Promise<void> => {
    const ending = thread;
    thread = undefined;
    await ending?.terminate();
  };

  const take = async (gathered: GatheredStep): Promise<StepResult> => {
    const { name } = gathered.step.strategy;
    const own = strategies.definitions.find((each) => each.name === name);
    // Of an app's own strategy a thread knows nothing.
    if (own !== undefined && !builtInStrategies.includes(own)) return reproduceStep(strategies, gathered);
    thread ??= startThread();
    let well = false;
    try {
      const result = await takeIn(thread, gathered);
      well = true;
      return result;
    } finally {
      if (!well || turns.waiting === 0) await endThread();
    }
  };

  const read = async (digest: Digest): Promise<Uint8Array | "gone" | "damaged"> => {
    try {
      return await blobs.bytes(digest);
    } catch (error) {
      const code = TributaryError.is(error) ? error.code : undefined;
      if (code === "store/not-found") return "gone";
      if (code === "store/corrupt") return "damaged";
      throw error;
    }
  };

  return {
    async reproduce(name, number) {
      const model = await store.models.get(name);
      if (model === undefined)
        throw failure("coordinator/unknown-model", `registry: no model "${name}"`, {
          detail: { model: name },
        });
      const version = await store.versions.get(name, number);
      if (version === undefined)
        throw failure("coordinator/unknown-version", `registry: "${name}" has no version ${number}`, {
          detail: { model: name, version: number },
        });
      const view = { model: name, version: number, files: [], missing: [], aggregate: null, masked: false };
      const missing = (sources: readonly MissingSource[]): ReproductionView => ({
        ...view,
        result: "missing",
        missing: sources,
      });
      const step = await versionStep(store, model, version);
      if ("why" in step) return missing([step]);
      if (!strategies.definitions.some((each) => each.name === step.strategy.name))
        return missing([{ what: "strategy", why: "unknown" }]);
      if (closed) throw failure("core/closed", "registry: closed");
      if (turns.waiting >= MOST_WAITING)
        throw failure("coordinator/busy", `registry: ${MOST_WAITING} others wait to reproduce a version`);
      return turns.run(async () => {
        const known = { aggregate: step.aggregate?.digest ?? null, masked: step.masked };
        const gathered = await gatherStep(step, read);
        if (!("step" in gathered)) return { ...missing(gathered), ...known };
        return { ...view, ...known, ...(await take(gathered)) };
      });
    },
    async close() {
      closed = true;
      await endThread();
    },
  };
}

function startThread(): Worker {
  const source = import.meta.url.endsWith(".ts");
  return new Worker(new URL(source ? "./reproduce-worker.ts" : "./reproduce-worker.js", import.meta.url), {
    name: "reproduce",
    ...(source ? { execArgv: ["--conditions=@tributary/source"] } : {}),
  });
}

async function takeIn(thread: Worker, job: GatheredStep): Promise<StepResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ReproduceAnswer>();
  const gone = (cause: unknown): void =>
    reject(failure("core/closed", "registry: the thread that reproduces ended", { cause }));
  thread.once("message", resolve).once("error", gone).once("exit", gone);
  thread.postMessage(job);
  try {
    const answer = await promise;
    if (answer.type === "reproduced") return answer.result;
    throw failure(answer.code, answer.message);
  } finally {
    thread.off("message", resolve).off("error", gone).off("exit", gone);
  }
}
