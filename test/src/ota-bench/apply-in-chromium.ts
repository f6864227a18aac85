import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { sha256 } from "@tributary/core";
import { encodeDelta, readSafetensors, safetensorsRegions, writeSafetensors } from "@tributary/tensor";
import { build, defaultClientConditions } from "vite";
import { launchChromium } from "../demo-page.ts";
import type { Bench } from "./page/main.ts";

declare const bench: Bench;

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript" };
/** Smaller artifacts are mostly overhead. */
const SMALLEST_BYTES = 8_000_000;
const WARM_UP = 2;

export interface ApplyTimes {
  readonly artifactBytes: number;
  readonly deltaBytes: number;
  readonly elapsedMs: readonly number[];
}

/**
 * Patches int8 weights in a real Chromium, from the delta's bytes to the compared SHA-256. The artifact is a version's tensors as often
 * as makes 8 MB, so that its differences are those of real training.
 */
export async function applyInChromium(
  [base, next]: readonly [Uint8Array, Uint8Array],
  times: number,
): Promise<ApplyTimes> {
  const copies = Math.ceil(SMALLEST_BYTES / base.length);
  const [large, later] = [repeated(base, copies), repeated(next, copies)];
  const delta = encodeDelta(large, later, safetensorsRegions(later))!;
  const folder = mkdtempSync(join(tmpdir(), "tributary-ota-"));
  await build({
    configFile: false,
    root: join(import.meta.dirname, "page"),
    logLevel: "error",
    resolve: { conditions: ["@tributary/source", ...defaultClientConditions] },
    build: { outDir: folder, emptyOutDir: true, target: "chrome113", reportCompressedSize: false },
  });
  const files: Readonly<Record<string, Uint8Array | string>> = {
    "/base": large,
    "/delta": delta,
    "/digest": sha256(later),
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://bench").pathname;
    const built = join(folder, normalize(path === "/" ? "/index.html" : path));
    const file = files[path] ?? (existsSync(built) ? readFileSync(built) : undefined);
    if (file === undefined) response.statusCode = 404;
    response.setHeader("content-type", TYPES[extname(built)] ?? "application/octet-stream");
    response.end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => "bench" in globalThis);
    const elapsedMs = await page.evaluate((count) => bench.apply(count), times + WARM_UP);
    return { artifactBytes: later.length, deltaBytes: delta.length, elapsedMs: elapsedMs.slice(WARM_UP) };
  } finally {
    await browser.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function repeated(file: Uint8Array, copies: number): Uint8Array<ArrayBuffer> {
  const { tensors } = readSafetensors(file);
  return writeSafetensors(
    Array.from({ length: copies }, (_, copy) =>
      [...tensors].map(([name, value]) => [`${copy}.${name}`, value] as const),
    ).flat(),
  );
}
