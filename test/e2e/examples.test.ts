import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32, deflateSync } from "node:zlib";
import { pathToFileURL } from "node:url";
import { buildDigitsCnn } from "@tributary/onnx";
import { createRuntime } from "@tributary/runtime/node";
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gzipOf, loadedWith } from "../src/chunk-size.ts";
import { launchChromium, recordPages } from "../src/demo-page.ts";
import { serveFolder } from "../src/static-site.ts";
import { TRIBUTARY } from "../src/tributary-process.ts";

const EXAMPLES = join(import.meta.dirname, "../../demo/examples");
const run = promisify(execFile);

/** The README's, as a header. */
const CSP =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; " +
  "style-src 'self' 'unsafe-inline'; img-src 'self' data:";
const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const PROCESSING = {
  inputs: { image: { kind: "image", layout: "nchw", channels: "gray", fit: "contain" } },
  output: { name: "logits", activation: "softmax", topK: 3 },
  labels: Array.from({ length: 10 }, (_, digit) => `digit ${digit}`),
};
const SIZE = 28;
const GRAYS = Uint8Array.from({ length: SIZE * SIZE }, (_, i) => (i * 37) % 256);

let folder: string;
let browser: Browser;
/** What a Node device answers to the same picture. */
let expected: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-examples-"));
  await writeFile(at("digits.onnx"), buildDigitsCnn({ seed: 3 }));
  await writeFile(at("digits.json"), JSON.stringify(PROCESSING));
  await writeFile(at("picture.png"), png(GRAYS, SIZE));
  const args = ["--processing", at("digits.json"), "--keys", at("keys"), "--out", at("models")];
  await run(process.execPath, [TRIBUTARY, "bundle", at("digits.onnx"), ...args], {
    env: { ...process.env, NODE_OPTIONS: "--conditions=@tributary/source" },
  });
  await using runtime = await createRuntime({
    models: pathToFileURL(at("models")),
    trust: { root: at("models/root.json") },
    dataDir: at("device"),
  });
  const model = await runtime.model("digits");
  const data = Uint8ClampedArray.from({ length: 4 * GRAYS.length }, (_, i) =>
    i % 4 === 3 ? 255 : GRAYS[i >> 2]!,
  );
  const { top } = await model.run({ image: { width: SIZE, height: SIZE, data } });
  expected = top[0]!.map(({ label, probability }) => `${label}: ${(100 * probability).toFixed(1)} %`);
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(folder, name);

/** Builds one as its `build` script does, into a folder of its own, with what a consumer's tools resolve: no sources of ours. */
async function build(name: string, command: string, ...args: string[]): Promise<string> {
  const cwd = join(EXAMPLES, name);
  const env = { ...process.env, NODE_OPTIONS: "" };
  await run(process.execPath, [join(cwd, command), ...args], { cwd, env });
  return at(name);
}

/** Opens a page, gives it the picture and reads what it says. */
async function ask(site: string, headers: Readonly<Record<string, string>> = {}): Promise<string[]> {
  await cp(at("models"), join(site, "models"), { recursive: true });
  const server = await serveFolder(site, { "Content-Security-Policy": CSP, ...headers });
  const context = await browser.newContext();
  const record = recordPages(context);
  try {
    const page = await context.newPage();
    await page.goto(server.url);
    await page.getByText(/^Version 1, on ort-wasm\.$/).waitFor();
    await page.setInputFiles("#picture", at("picture.png"));
    await page.locator("#answers li").nth(2).waitFor();
    expect(record.complaints).toEqual([]);
    // One engine, and nothing that only learning needs.
    expect(server.paths.filter((path) => path.endsWith(".wasm"))).toHaveLength(1);
    expect(server.paths.filter((path) => /learner|connection/.test(path))).toEqual([]);
    return await page.locator("#answers li").allTextContents();
  } finally {
    await context.close();
    await server.close();
  }
}

describe("the example of a page", () => {
  test("with Vite, in a cross-origin isolated page; its scripts are small", async () => {
    const site = await build("vite", "node_modules/vite/bin/vite.js", "build", "--outDir", at("vite"));
    expect(await ask(site, ISOLATED)).toEqual(expected);
    const assets = join(site, "assets");
    const named = async (prefix: string): Promise<string> =>
      join(
        assets,
        (await readdir(assets)).find((name) => name.startsWith(prefix) && name.endsWith(".js"))!,
      );
    const page = await loadedWith(await named("index-"));
    const worker = await loadedWith(await named("device-worker-"));
    const learner = await loadedWith(await named("learner-"));
    const secure = await loadedWith(await named("secure-member-"));
    expect(page.gzipBytes).toBeLessThanOrEqual(15_000);
    expect(worker.gzipBytes).toBeLessThanOrEqual(45_000);
    // What the first `participate()` adds to that: rounds, training, schemas, and secure aggregation.
    const added = await gzipOf(
      assets,
      [...learner.files, ...secure.files].filter((name) => !worker.files.includes(name)),
    );
    expect(added).toBeLessThanOrEqual(120_000);
  });

  test("with webpack", async () => {
    // What its minifier does to WASM's glue takes a minute and is not ours.
    const options = ["--no-optimization-minimize", "--output-path", at("webpack")];
    const site = await build("webpack", "node_modules/webpack/bin/webpack.js", ...options);
    expect(await ask(site)).toEqual(expected);
  });

  test("without a bundler", async () => {
    await cp(join(EXAMPLES, "plain"), at("plain"), {
      recursive: true,
      filter: (path) => !path.includes("node_modules"),
    });
    await build("plain", "build.js", at("plain/tributary"));
    expect(await ask(at("plain"))).toEqual(expected);
  });
});

/** A gray picture as a PNG file (ISO/IEC 15948): one IDAT, no filter. */
function png(grays: Uint8Array, size: number): Uint8Array {
  const rows = Buffer.concat(
    Array.from({ length: size }, (_, y) =>
      Buffer.concat([Buffer.of(0), grays.subarray(y * size, (y + 1) * size)]),
    ),
  );
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header[8] = 8; // bits; colour type 0 is gray
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    pngChunk("IHDR", header),
    pngChunk("IDAT", deflateSync(rows)),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const chunk = Buffer.alloc(8 + body.length);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), 4 + body.length);
  return chunk;
}
