import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildLinear } from "@tributary/onnx";
import { parseProcessing } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSite, type Site } from "../../packages/runtime/test/fixtures/site.ts";
import { buildTfjsModel } from "../../packages/runtime/test/fixtures/tfjs-model.ts";
import { EXAMPLE_DEFAULTS } from "../../packages/runtime/src/examples/example-policy.ts";
import { BATCHING_DEFAULTS } from "../../packages/runtime/src/inference/batching.ts";
import { MAX_QUEUED } from "../../packages/runtime/src/inference/call-limit.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { fencedBlocks } from "../src/markdown.ts";
import { runNode } from "../src/run-node.ts";
import { startTributary } from "../src/tributary-process.ts";

// The runtime's guide is executed: its document is published, and its example runs.

const GUIDE = readFileSync(join(import.meta.dirname, "../../packages/runtime/README.md"), "utf8");
const BLOCKS = fencedBlocks(GUIDE).filter(({ heading }) => heading === "Images in, labels out");
const EXAMPLES = fencedBlocks(GUIDE).find(({ heading }) => heading === "Examples that stay here")!;
const GUEST = fencedBlocks(GUIDE).find(({ heading }) => heading === "A guest on the device")!;
const OWN_WEIGHTS = fencedBlocks(GUIDE).find(({ heading }) => heading === "Weights of a device's own")!;
const FARING = fencedBlocks(GUIDE)
  .filter(({ heading }) => heading === "How it fares")
  .map(({ text }) => text)
  .join("\n");
const FORGETTING = fencedBlocks(GUIDE).find(({ heading }) => heading === "Forgetting")!;
const folder = temporaryFolder();
let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(async () => {
  await site.close();
  folder.remove();
});

/** As a collector of OpenTelemetry: keeps what is posted. */
async function startCollector() {
  const posted: { readonly path: string | undefined; readonly body: string }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      posted.push({ path: request.url, body });
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, posted, close: () => server.close() };
}

test("its document fits its model, and its example runs in Node", async () => {
  const document = BLOCKS.find(({ language }) => language === "json")!.text;
  const { labels, ...processing } = parseProcessing(new TextEncoder().encode(document), {
    inputs: [{ name: "image", dtype: "float32", shape: [-1, 1, 28, 28] }],
    outputs: [{ name: "logits", dtype: "float32", shape: [-1, 10] }],
  });
  await site.repository.releaseModel("digits", buildLinear({ seed: "guide" }), 2, {
    processing,
    explained: true,
    personal: true,
    ...(labels === undefined ? {} : { labels }),
  });
  const collector = await startCollector();
  const root = join(folder.path, "root.json");
  writeFileSync(root, site.repository.root);
  // In here, so that Node finds the workspace's packages.
  const scratch = mkdtempSync(join(import.meta.dirname, ".guide-"));
  try {
    writeFileSync(
      join(scratch, "guide.ts"),
      `
import { createRuntime } from "@tributary/runtime/node";
const runtime = await createRuntime({
  coordinator: ${JSON.stringify(site.url)},
  trust: { root: ${JSON.stringify(root)} },
  token: "good-token",
  dataDir: ${JSON.stringify(join(folder.path, "device"))},
});
${BLOCKS.find(({ language }) => language === "ts")!.text}
${FARING.replace("http://127.0.0.1:4318", collector.url)}
${fencedBlocks(GUIDE).find(({ heading }) => heading === "Why this answer")!.text}
${EXAMPLES.text}
${GUEST.text}
await learning.examples.addAll(
  Array.from({ length: 40 }, (_, i) => ({
    image: Float32Array.from({ length: 784 }, (_, pixel) => (pixel % 10 === i % 10 ? 1 : ((pixel * 7 + i) % 41) / 100)),
    label: i % 10,
  })),
);
${OWN_WEIGHTS.text}
${FORGETTING.text}
await runtime.close();
`,
    );
    const { code, stdout, stderr } = await runNode(join(scratch, "guide.ts"));
    expect(code, stderr).toBe(0);
    expect(collector.posted.map(({ path }) => path)).toEqual(["/v1/metrics"]);
    expect(collector.posted[0]?.body).toContain('"tributary.inference.duration"');
    const [answer, ...told] = stdout.trim().split("\n");
    const more = told.filter((line) => !/^\d+ of \d+$/.test(line));
    expect(told.length - more.length).toBeGreaterThan(1);
    expect(answer).toMatch(/^1 (\w+ [01]\.\d\d(, |$)){3}/);
    const best = answer!.split(" ")[1]!;
    expect(labels).toContain(best);
    expect(more).toEqual([
      best,
      best,
      expect.stringMatching(/^ort-node node v\d+\S+ ort-node 3$/),
      expect.stringMatching(/^\d+ [\d.]+ (0|1)$/),
      "image.mean, image.deviation 22",
      "true",
      // A blank image: which of ten equal answers is explained, the last bit of a sum says.
      expect.stringMatching(/^\w+ 1x1x28x28 true$/),
      `${labels![3]} occlusion`,
      expect.stringMatching(/^1 \d+$/),
      "null null {}",
      expect.stringMatching(/^true \d\.\d+ \d\.\d+ \d+$/),
      "true undefined",
      expect.stringMatching(/^41 \[ 'device', 'examples' \] (erased|none)$/),
    ]);
  } finally {
    collector.close();
    rmSync(scratch, { recursive: true, force: true });
  }
});

test("its example of a rollout tells of one", async () => {
  await site.repository.release(1);
  await site.repository.releaseRollout({
    rollout: "stable-1",
    control: 1 as never,
    arms: [{ name: "new", version: 2 }],
  });
  const root = join(folder.path, "rollout-root.json");
  writeFileSync(root, site.repository.root);
  const { text } = fencedBlocks(GUIDE).find(({ heading }) => heading === "While a version is rolled out")!;
  const scratch = mkdtempSync(join(import.meta.dirname, ".guide-"));
  try {
    writeFileSync(
      join(scratch, "rollout.ts"),
      `
import { createRuntime } from "@tributary/runtime/node";
const runtime = await createRuntime({
  coordinator: ${JSON.stringify(site.url)},
  trust: { root: ${JSON.stringify(root)} },
  dataDir: ${JSON.stringify(join(folder.path, "rollout-device"))},
});
await runtime.model("digits");
${text}
await runtime.close();
`,
    );
    const { code, stdout, stderr } = await runNode(join(scratch, "rollout.ts"));
    expect(code, stderr).toBe(0);
    expect(stdout.trim()).toBe("digits 2 stable-1 new undefined undefined");
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    await site.repository.endRollout();
  }
});

test("its example of a TensorFlow.js model runs in Node", async () => {
  await site.repository.releaseModel("dense", buildTfjsModel());
  const root = join(folder.path, "tfjs-root.json");
  writeFileSync(root, site.repository.root);
  const block = fencedBlocks(GUIDE).find(({ text }) => text.includes("createTfjsEngine("))!;
  const scratch = mkdtempSync(join(import.meta.dirname, ".guide-"));
  try {
    writeFileSync(
      join(scratch, "tfjs.ts"),
      `
import { createRuntime } from "@tributary/runtime/node";
const options = {
  coordinator: ${JSON.stringify(site.url)},
  trust: { root: ${JSON.stringify(root)} },
  dataDir: ${JSON.stringify(join(folder.path, "tfjs-device"))},
};
${block.text}
`,
    );
    const { code, stdout, stderr } = await runNode(join(scratch, "tfjs.ts"));
    expect(code, stderr).toBe(0);
    expect(stdout.trim().split("\n").at(-1)).toBe("tfjs-cpu 2");
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

test("its command makes a folder of models that its example runs", async () => {
  const blocks = fencedBlocks(GUIDE).filter(({ heading }) => heading === "Without a coordinator");
  const [command, example] = blocks.map(({ text }) => text.trim());
  const cwd = join(folder.path, "static");
  mkdirSync(cwd);
  writeFileSync(join(cwd, "digits.onnx"), buildLinear({ seed: "static" }));
  writeFileSync(join(cwd, "processing.json"), BLOCKS.find(({ language }) => language === "json")!.text);
  const [program, ...args] = command!.split(" ");
  expect(program).toBe("tributary");
  const bundled = await startTributary(args, { cwd }).ended;
  expect(bundled.code, bundled.stderr).toBe(0);
  // What a page fetches from its server is a folder here.
  const models = `${pathToFileURL(join(cwd, "public/models")).href}/`;
  const scratch = mkdtempSync(join(import.meta.dirname, ".guide-"));
  try {
    writeFileSync(
      join(scratch, "static.ts"),
      example!
        .replace("@tributary/runtime/browser", "@tributary/runtime/node")
        .replace(
          'models: "/models/", trust: { root: "/models/root.json" }',
          `models: "${models}", trust: { root: new URL("${models}root.json") }, dataDir: ${JSON.stringify(join(cwd, "device"))}`,
        ) + "\nconsole.log(digits.version, digits.state.labels?.length);\nawait runtime.close();\n",
    );
    const { code, stdout, stderr } = await runNode(join(scratch, "static.ts"));
    expect(code, stderr).toBe(0);
    expect(stdout.trim()).toBe("1 10");
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

test("its table of examples has the defaults that hold", () => {
  const rows = [...GUIDE.matchAll(/^\| `(\w+)` +\| (`?[\w ]+`?) +\|/gm)].map(([, name, value]) => [
    name,
    value!.replaceAll("`", "").trim(),
  ]);
  const told = Object.fromEntries(rows.filter(([name]) => name! in EXAMPLE_DEFAULTS)) as Record<
    string,
    string
  >;
  const held = Object.entries(EXAMPLE_DEFAULTS).map(([name, value]) => [
    name,
    value === Number.POSITIVE_INFINITY ? "for ever" : String(value),
  ]);
  expect(told).toEqual(Object.fromEntries(held));
});

test("its table has the defaults that hold", () => {
  const defaults = new Map(
    [...GUIDE.matchAll(/^\| `(?:batching\.)?(\w+)` +\| (\d+) +\| \d+ - /gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]),
  );
  expect(Object.fromEntries(defaults)).toEqual({ ...BATCHING_DEFAULTS, maxQueued: MAX_QUEUED });
});
