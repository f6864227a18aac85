import { join } from "node:path";
import type { BrowserContext } from "playwright";
import { build, type Plugin } from "vite";
// The demo's own server, with a site that was built to be observed.
import { createDemoServer, type DemoServer } from "../../packages/cli/src/start/demo-server.ts";
import type { DemoServerOptions } from "../../packages/cli/src/start/demo-server.ts";
import { ENCODED_CHANNEL, type Encoded } from "./recording-secagg.ts";

/** The demo, in which devices import secure aggregation by way of the recorder. */
export async function buildRecordedDemo(folder: string): Promise<void> {
  const recorder: Plugin = {
    name: "recorded-secure-aggregation",
    enforce: "pre",
    resolveId(source, importer) {
      const observed = importer?.endsWith("/participation/secure-member.ts") === true;
      return source === "@tributary/secagg" && observed
        ? join(import.meta.dirname, "recording-secagg.ts")
        : undefined;
    },
  };
  await build({
    root: join(import.meta.dirname, "../../demo"),
    logLevel: "error",
    plugins: [recorder],
    worker: { format: "es", plugins: () => [recorder] },
    build: { outDir: folder, emptyOutDir: true, minify: false },
  });
}

/** Serves a demo that stands in a folder. */
export function serveDemo(
  folder: string,
  options: Pick<DemoServerOptions, "config" | "trustedRoot" | "mintToken">,
): Promise<DemoServer> {
  const state = { phase: "ready", folder } as const;
  const site = {
    state,
    request: () => folder,
    settled: () => Promise.resolve(state),
    close: () => Promise.resolve(),
  };
  return createDemoServer({ host: "127.0.0.1", port: 0, site, ...options });
}

/** Hears what the pages of a context encode. */
export async function recordEncodings(
  context: BrowserContext,
  onEncoded: (encoded: Encoded) => void,
): Promise<void> {
  await context.exposeFunction("tellEncoded", (weight: number, update: number[], codes: number[]) =>
    onEncoded({ weight, update: Float32Array.from(update), codes: Uint32Array.from(codes) }),
  );
  await context.addInitScript((name) => {
    new BroadcastChannel(name).addEventListener("message", ({ data }: MessageEvent<Encoded>) => {
      const tell = Reflect.get(globalThis, "tellEncoded") as (...told: unknown[]) => void;
      tell(data.weight, [...data.update], [...data.codes]);
    });
  }, ENCODED_CHANNEL);
}
