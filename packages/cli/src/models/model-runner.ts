import type { Session } from "@tributary/engine";
import type { RunModel } from "@tributary/onnx";

export interface ModelRunner extends AsyncDisposable {
  readonly run: RunModel;
}

/** Runs models on onnxruntime-node, which is only loaded when a model is first run. */
export function createModelRunner(): ModelRunner {
  const starting = { engine: undefined as ReturnType<typeof startEngine> | undefined };
  const sessions = new Map<Uint8Array, Promise<Session>>();
  return {
    async run(model, feeds) {
      const engine = await (starting.engine ??= startEngine());
      let session = sessions.get(model);
      if (session === undefined) sessions.set(model, (session = engine.load(model)));
      return await (await session).run(feeds);
    },
    async [Symbol.asyncDispose]() {
      // Closing an engine disposes its sessions.
      await (await starting.engine)?.close();
    },
  };
}

async function startEngine() {
  const { createOrtNodeEngine } = await import("@tributary/engine/ort-node");
  return createOrtNodeEngine();
}
