import { failure, TributaryError } from "@tributary/core";
import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-common";
import { checkFeeds } from "./check-feeds.ts";
import type { EngineName, Feeds, KeptOutputs, Outputs, RunOptions, Session, SessionPort } from "./engine.ts";
import { dtypeOf, fromOrtTensor, toOrtTensor } from "./ort-tensor.ts";
import { createRunQueue, type RunQueue } from "./run-queue.ts";

export interface OrtSessionOptions {
  readonly engine: EngineName;
  readonly session: InferenceSession;
  readonly Tensor: TensorConstructor;
  /** Shared by all sessions of an engine that executes one run at a time. @defaultValue one of its own */
  readonly queue?: RunQueue;
  /** Copy outputs, where the engine hands out views of memory that it uses again. @defaultValue false */
  readonly copyOutputs?: boolean;
  /** Outputs come as memory of the GPU. @defaultValue false */
  readonly keepsOutputs?: boolean;
  /** Why a run failed, where the engine knows better than its error. */
  readonly explain?: (cause: unknown) => Promise<TributaryError | undefined>;
  /** Called once, after the native session was released. */
  readonly onDisposed?: () => void;
}

/** A session of any onnxruntime flavour behind our seam: checks, dtype mapping, order of runs, disposal. */
export function createOrtSession(options: OrtSessionOptions): Session {
  const { engine, session, Tensor, copyOutputs = false, keepsOutputs = false, explain, onDisposed } = options;
  const queue = options.queue ?? createRunQueue();
  const inputPorts = session.inputMetadata.map((port) => portOf(engine, port));
  const outputPorts = session.outputMetadata.map((port) => portOf(engine, port));
  const inputs = session.inputNames;
  const outputs = session.outputNames;
  let disposed: Promise<void> | undefined;

  /** One run, in its turn: what `take` makes of the results. */
  const execute = async <T>(
    feeds: Feeds,
    { outputs: asked, kept = {}, signal }: RunOptions,
    take: (results: Results, wanted: readonly string[]) => T | Promise<T>,
  ): Promise<T> => {
    if (disposed !== undefined) {
      throw failure("engine/closed", `${engine}: run() after the session was disposed`);
    }
    checkFeeds(engine, inputPorts, outputs, { ...feeds, ...kept }, asked);
    const wanted = asked ?? outputs;
    return await queue.run(async () => {
      const ortFeeds: Record<string, InstanceType<TensorConstructor>> = {};
      for (const name of inputs) {
        ortFeeds[name] = (kept[name]?.value as OrtTensor | undefined) ?? toOrtTensor(Tensor, feeds[name]!);
      }
      try {
        return await take(await session.run(ortFeeds, wanted), wanted);
      } catch (cause) {
        if (TributaryError.is(cause)) throw cause;
        const explained = await explain?.(cause);
        if (explained !== undefined) throw explained;
        throw failure("engine/run-failed", `${engine}: the run failed: ${text(cause)}`, { cause });
      }
    }, signal);
  };

  return {
    engine,
    inputs,
    outputs,
    inputPorts,
    outputPorts,
    run: (feeds, runOptions = {}) =>
      execute(feeds, runOptions, async (results, wanted) => {
        if (keepsOutputs) await readAll(results);
        const named: Outputs = {};
        for (const name of wanted) named[name] = fromOrtTensor(name, results[name]!, copyOutputs);
        return named;
      }),
    ...(keepsOutputs
      ? { keep: (feeds: Feeds, runOptions: RunOptions = {}) => execute(feeds, runOptions, keptOutputs) }
      : {}),
    [Symbol.asyncDispose]() {
      disposed ??= queue
        .run(() => session.release())
        .catch(() => undefined)
        .then(() => onDisposed?.());
      return disposed;
    },
  };
}

type Results = Readonly<Record<string, OrtTensor>>;

/** From the GPU, all at once; nothing of them stays there. */
async function readAll(results: Results): Promise<void> {
  const tensors = Object.values(results);
  try {
    await Promise.all(tensors.map((each) => each.getData(true)));
  } catch (error) {
    for (const each of tensors) each.dispose();
    throw error;
  }
}

function keptOutputs(results: Results): KeptOutputs {
  const tensors = Object.entries(results).map(
    ([name, value]) => [name, { dtype: dtypeOf(value.type)!, shape: value.dims, value }] as const,
  );
  return {
    tensors: Object.fromEntries(tensors),
    release() {
      for (const value of Object.values(results)) value.dispose();
    },
  };
}

/** onnxruntime-web reads -1, as some exporters write a free dimension, as the unsigned number of its bits. */
const FREE = 2 ** 31;

function portOf(engine: EngineName, port: InferenceSession.ValueMetadata): SessionPort {
  const dtype = port.isTensor ? dtypeOf(port.type) : undefined;
  if (!port.isTensor || dtype === undefined) {
    throw failure(
      "engine/unsupported-dtype",
      `${engine}: "${port.name}" is ${port.isTensor ? `of element type ${port.type}` : "not a tensor"}, which is not supported`,
      { detail: { port: port.name } },
    );
  }
  return {
    name: port.name,
    dtype,
    shape: port.shape.map((size) => (typeof size === "number" && size >= 0 && size < FREE ? size : null)),
  };
}

export function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
