import { failure, TributaryError } from "@tributary/core";
import type { InferenceSession, TensorConstructor } from "onnxruntime-common";
import { checkFeeds } from "./check-feeds.ts";
import type { EngineName, Outputs, Session, SessionPort } from "./engine.ts";
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
  /** Why a run failed, where the engine knows better than its error. */
  readonly explain?: (cause: unknown) => Promise<TributaryError | undefined>;
  /** Called once, after the native session was released. */
  readonly onDisposed?: () => void;
}

/** A session of any onnxruntime flavour behind our seam: checks, dtype mapping, order of runs, disposal. */
export function createOrtSession(options: OrtSessionOptions): Session {
  const { engine, session, Tensor, copyOutputs = false, explain, onDisposed } = options;
  const queue = options.queue ?? createRunQueue();
  const inputPorts = session.inputMetadata.map((port) => portOf(engine, port));
  const outputPorts = session.outputMetadata.map((port) => portOf(engine, port));
  const inputs = session.inputNames;
  const outputs = session.outputNames;
  let disposed: Promise<void> | undefined;

  return {
    engine,
    inputs,
    outputs,
    inputPorts,
    outputPorts,
    async run(feeds, runOptions = {}) {
      if (disposed !== undefined) {
        throw failure("engine/closed", `${engine}: run() after the session was disposed`);
      }
      checkFeeds(engine, inputPorts, outputs, feeds, runOptions.outputs);
      const wanted = runOptions.outputs ?? outputs;
      return await queue.run(async () => {
        const ortFeeds: Record<string, InstanceType<TensorConstructor>> = {};
        for (const name of inputs) ortFeeds[name] = toOrtTensor(Tensor, feeds[name]!);
        try {
          const results = await session.run(ortFeeds, wanted);
          const named: Outputs = {};
          for (const name of wanted) named[name] = fromOrtTensor(name, results[name]!, copyOutputs);
          return named;
        } catch (cause) {
          if (TributaryError.is(cause)) throw cause;
          const explained = await explain?.(cause);
          if (explained !== undefined) throw explained;
          throw failure("engine/run-failed", `${engine}: the run failed: ${text(cause)}`, { cause });
        }
      }, runOptions.signal);
    },
    [Symbol.asyncDispose]() {
      disposed ??= queue
        .run(() => session.release())
        .catch(() => undefined)
        .then(() => onDisposed?.());
      return disposed;
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
