import type { Tensor } from "@tributary/tensor";
import type { RunModel } from "../../src/index.ts";
import type { TestEngine } from "./engines.ts";

type Session = Awaited<ReturnType<TestEngine["load"]>>;

/** A RunModel on a test engine; sessions live until `release`. */
export function modelRunner(engine: TestEngine): { readonly run: RunModel; release(): Promise<void> } {
  const sessions = new Map<Uint8Array, Promise<Session>>();
  return {
    async run(model, feeds) {
      let loading = sessions.get(model);
      if (loading === undefined) sessions.set(model, (loading = engine.load(model)));
      const session = await loading;
      const outputs = await session.run(
        Object.fromEntries(
          Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
            name,
            new engine.Tensor(dtype as "float32", data as Float32Array, [...shape]),
          ]),
        ),
      );
      return Object.fromEntries(
        Object.entries(outputs).map(([name, { type, data, dims }]) => [
          name,
          { dtype: type, data, shape: dims } as unknown as Tensor,
        ]),
      );
    },
    async release() {
      for (const session of sessions.values()) await (await session).release();
      sessions.clear();
    },
  };
}
