import { failure, throwIfAborted } from "@tributary/core";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Engine, Session } from "./engine.ts";
import { createOrtSession, text } from "./ort-session.ts";
import { nestedConfig } from "./session-config.ts";

export interface OrtNodeOptions {
  /**
   * Threads inside one operator, 1 to 64. One is the fastest for models of edge size, and leaves the other cores to
   * other devices of the same process.
   * @defaultValue 1
   */
  readonly threads?: number;
}

const DEFAULTS = { threads: 1 } as const satisfies OrtNodeOptions;

/**
 * Between uint8 activations and int8 weights the AVX2 kernels (x86 without VNNI) add pairs of products in int16, and
 * saturate in silence. With this entry onnxruntime stores such weights as uint8 there, which is exact.
 */
const EXACT_INTEGERS = { "session.x64quantprecision": "1" };

/** onnxruntime-node on the CPU. Outputs never alias feeds or each other. */
export async function createOrtNodeEngine(options: OrtNodeOptions = {}): Promise<Engine> {
  const { threads = DEFAULTS.threads } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
    throw new RangeError(`createOrtNodeEngine: threads must be an integer from 1 to 64, got ${threads}`);
  }
  const sessions = new Set<Session>();
  let closed: Promise<void> | undefined;
  return {
    name: "ort-node",
    async load(model, { signal, optimization = "all", sessionConfig = {} } = {}) {
      throwIfAborted(signal);
      if (closed !== undefined) throw failure("engine/closed", "ort-node: load() after close()");
      let native: InferenceSession;
      try {
        native = await InferenceSession.create(model, {
          executionProviders: ["cpu"],
          intraOpNumThreads: threads,
          interOpNumThreads: 1,
          executionMode: "sequential",
          graphOptimizationLevel: optimization === "all" ? "all" : "disabled",
          logSeverityLevel: 4, // errors come back as exceptions
          extra: nestedConfig(EXACT_INTEGERS, sessionConfig),
        });
      } catch (cause) {
        throw failure("engine/load-failed", `ort-node: the model could not be loaded: ${text(cause)}`, {
          cause,
        });
      }
      let session: Session;
      try {
        // The native run copies nothing it returns, but a graph may hand an input through as an output.
        session = createOrtSession({
          engine: "ort-node",
          session: native,
          Tensor,
          onDisposed: () => sessions.delete(session),
        });
      } catch (error) {
        await native.release();
        throw error;
      }
      sessions.add(session);
      if (signal?.aborted === true || closed !== undefined) {
        await session[Symbol.asyncDispose]();
        throwIfAborted(signal);
        throw failure("engine/closed", "ort-node: closed while a model was loading");
      }
      return session;
    },
    close() {
      closed ??= Promise.all([...sessions].map((session) => session[Symbol.asyncDispose]())).then(
        () => undefined,
      );
      return closed;
    },
  };
}
