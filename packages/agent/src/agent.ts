import type { Engine } from "@tributary/engine";
import type { ExampleTable } from "@tributary/engine/examples";
import { delay, failure, systemClock, TributaryError, type Logger } from "@tributary/core";
import type { ModelHandle, Runtime, RuntimeEvent, RuntimeOptions, Trust } from "@tributary/runtime";
import { giveExamples } from "@tributary/runtime/internal-node";
import { createRuntime } from "@tributary/runtime/node";

export interface AgentOptions {
  readonly coordinator: string;
  readonly trust: Trust;
  /** Enrolment token, or where to ask for one. */
  readonly token: NonNullable<RuntimeOptions["token"]>;
  readonly dataDir: string;
  /** @defaultValue "default" */
  readonly population?: string;
  readonly model: string;
  /** What is said of the device: a task may ask only devices with certain tags. @defaultValue none */
  readonly tags?: readonly string[];
  /** Most bytes of models that are kept. @defaultValue that of `createRuntime` */
  readonly maxStorageBytes?: number;
  /** @defaultValue every task of the model */
  readonly task?: string;
  /** Replaces what the device has, where it differs. @defaultValue what the device has */
  readonly examples?: () => Promise<ExampleTable>;
  /** False: train nothing; run the model and follow its releases. @defaultValue true */
  readonly participate?: boolean;
  /** Whether how the model runs is counted, for sums over many devices. @defaultValue false */
  readonly telemetry?: boolean;
  /** Runs and trains models of TensorFlow.js; whoever made it closes it. @defaultValue none: such models are refused */
  readonly tfjs?: Engine;
  readonly onEvent?: (event: RuntimeEvent) => void;
  readonly log?: Logger;
}

/** One device as a service. */
export interface Agent extends AsyncDisposable {
  readonly runtime: Runtime;
  /** Resolves when the model runs and, with `participate` or `telemetry`, the device takes part. */
  readonly ready: Promise<{ readonly model: ModelHandle; readonly examples: number }>;
  /** Leaves its rounds and lets go of everything. Idempotent. */
  close(): Promise<void>;
}

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

/**
 * Starts a device: model, examples, rounds. The coordinator may be away at first; the agent keeps trying.
 * @throws `runtime/locked`, `runtime/no-trust`, `store/*`
 */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { coordinator, trust, token, dataDir, population, onEvent, log } = options;
  const runtime = await createRuntime({
    coordinator,
    trust,
    token,
    dataDir,
    software: "tributary-agent",
    ...(population === undefined ? {} : { population }),
    ...(options.tags === undefined ? {} : { tags: options.tags }),
    ...(options.maxStorageBytes === undefined ? {} : { maxStorageBytes: options.maxStorageBytes }),
    ...(options.tfjs === undefined ? {} : { tfjs: options.tfjs }),
    ...(log === undefined ? {} : { log }),
  });
  const closing = new AbortController();
  if (onEvent !== undefined) void forward(runtime, onEvent);
  const start = async (): Promise<{ model: ModelHandle; examples: number }> => {
    const model = await openModel(options, runtime, closing.signal);
    const given = await options.examples?.();
    closing.signal.throwIfAborted();
    const examples =
      given === undefined ? await model.examples.count() : await giveExamples(model, dataDir, given);
    const { participate: training = true, telemetry = false } = options;
    if (training || telemetry) {
      runtime.participate({
        consent: { training, telemetry },
        ...(options.task === undefined ? {} : { task: options.task }),
      });
    }
    return { model, examples };
  };
  const ready = start();
  ready.catch(() => undefined);

  let closed: Promise<void> | undefined;
  const agent: Agent = {
    runtime,
    ready,
    close() {
      closed ??= (async () => {
        closing.abort(failure("runtime/closed", "agent: it was closed"));
        // Not `participation.stop()`, which takes back consent: a training that is cut off goes on with the next start.
        await runtime.close();
      })();
      return closed;
    },
    [Symbol.asyncDispose]: () => agent.close(),
  };
  return agent;
}

async function openModel(
  { model: name, onEvent }: Pick<AgentOptions, "model" | "onEvent">,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<ModelHandle> {
  let told: string | undefined;
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)) {
    try {
      return await runtime.model(name, { signal });
    } catch (error) {
      signal.throwIfAborted();
      const later = TributaryError.is(error) && (error.retryable || error.code === "runtime/unknown-model");
      if (!later) throw error;
      const { code, message, retryable } = error;
      // Whoever watches has to know what is waited for; once is enough.
      if (told !== code) onEvent?.({ type: "problem", at: systemClock.now(), code, message, retryable });
      told = code;
      await delay(systemClock, retryMs, signal);
    }
  }
}

async function forward(runtime: Runtime, onEvent: (event: RuntimeEvent) => void): Promise<void> {
  for await (const event of runtime.events()) onEvent(event);
}
