import { failure, type Digest } from "@tributary/core";
import type { EngineName, Session } from "@tributary/engine";
import type { ModelManifest } from "@tributary/protocol";
import { tensor } from "@tributary/tensor";
import { beforeEach, expect, test } from "vitest";
import type { OpenInferenceRequest, SessionLease } from "../../src/engine-provider.ts";
import { fasterForm, type FasterFormOptions } from "../../src/updater/faster-form.ts";

/** What a form answers, and how long each of its runs takes by the clock of the test. */
interface Behaviour {
  readonly answer: number;
  readonly runMs: number;
}

let nowMs: number;
let downloaded: string[];
let opened: Pick<OpenInferenceRequest, "key" | "on">[];
let open: Set<string>;
let remembered: unknown;
beforeEach(() => {
  nowMs = 0;
  [downloaded, opened, open, remembered] = [[], [], new Set(), undefined];
});

const FORMS = {
  "int8-dynamic": { engines: ["ort-wasm", "ort-node"] },
  "int8-static": { engines: ["ort-wasm", "ort-node"], sample: { x: [2, 2] } },
  float16: { engines: ["ort-webgpu"], features: ["shader-f16"] },
  "int2-magic": { engines: ["ort-wasm"] },
} as const;

const manifest: FasterFormOptions["manifest"] = {
  inputs: [{ name: "x", dtype: "float32", shape: [-1, 1] }],
  variants: Object.entries(FORMS).map(([name, use]) => ({ name, target: `${name}.onnx`, ...use })),
  selfCheck: {
    seed: "check",
    tolerance: 1e-3,
    float32: [{ name: "y", values: [1] }],
    int8: [{ name: "y", values: [1.04] }],
  },
};

function lease(name: string, engine: EngineName, { answer, runMs }: Behaviour): SessionLease {
  open.add(name);
  const session = {
    engine,
    async run({ x }: { readonly x?: { readonly data: ArrayLike<number> } }) {
      nowMs += runMs;
      // What saturates shows outside of the inputs that it was calibrated for.
      const value = name === "int8-static" && x!.data[0] !== 2 ? 9 : answer;
      return { y: tensor("float32", [1, 1], Float32Array.of(value)) };
    },
  } as unknown as Session;
  return { session, engine, note: `${name} was chosen`, release: async () => void open.delete(name) };
}

function choose(
  engine: EngineName,
  behaviours: Readonly<Record<string, Behaviour | undefined>>,
  more: Partial<FasterFormOptions> & { readonly features?: readonly string[] } = {},
) {
  const { features = ["shader-f16"], ...options } = more;
  return fasterForm({
    manifest: manifest as ModelManifest,
    base: lease("base", engine, behaviours["base"] ?? { answer: 1, runMs: 5 }),
    baseName: "int8-weights",
    engines: {
      diagnose: () => ({ available: [engine], fingerprint: "this browser", features, gpuLosses: 0 }),
      async openInference({ key: name, on }) {
        opened.push({ key: name, ...(on === undefined ? {} : { on }) });
        const behaviour = behaviours[name];
        if (behaviour === undefined) throw failure("engine/load-failed", `${name} does not load`);
        return lease(name, engine, behaviour);
      },
    },
    seed: "sample",
    clock: { monotonicMs: () => nowMs },
    async fileOf(target) {
      downloaded.push(target);
      return { target, digest: target.replace(".onnx", "") as Digest, sizeBytes: 1 };
    },
    read: async () => new Uint8Array(),
    onMoved: () => undefined,
    remembered,
    remember: async (choice) => void (remembered = choice),
    ...options,
  });
}

const AGREE = { answer: 1.01, runMs: 3 };

test.each([
  ["int8-weights", 2, 3, 3],
  ["int8-dynamic", 4, 3, 3.5],
  ["int8-static", 4, 3, 2],
])("%s runs where it is the fastest of those that agree", async (fastest, baseMs, dynamicMs, staticMs) => {
  const chosen = await choose("ort-node", {
    base: { answer: 1, runMs: baseMs },
    "int8-dynamic": { answer: 1.01, runMs: dynamicMs },
    "int8-static": { answer: 0.99, runMs: staticMs },
  });
  expect(chosen.variant).toBe(fastest);
  expect(chosen.note).toBe("base was chosen");
  expect(chosen.triedVariants).toMatchObject([
    { variant: "int8-weights", verdict: "reference", medianMs: baseMs },
    { variant: "int8-dynamic", verdict: "agrees", medianMs: dynamicMs },
    { variant: "int8-static", verdict: "agrees", medianMs: staticMs },
    { variant: "float16", verdict: "unsuited", message: "for ort-webgpu with shader-f16" },
  ]);
  expect(downloaded).toEqual(["int8-dynamic.onnx", "int8-static.onnx"]);
  expect([...open]).toEqual([fastest === "int8-weights" ? "base" : fastest]);
});

test("a GPU gets float16, on the engine that was chosen, and only where its adapter computes so", async () => {
  const behaviours = { base: { answer: 1.04, runMs: 5 }, float16: { answer: 1.004, runMs: 3 } };
  const chosen = await choose("ort-webgpu", behaviours);
  expect([chosen.variant, downloaded, opened]).toEqual([
    "float16",
    ["float16.onnx"],
    [{ key: "float16", on: "ort-webgpu" }],
  ]);
  await chosen.release();
  const without = await choose("ort-webgpu", behaviours, { features: [], remembered: undefined });
  expect([without.variant, downloaded.length]).toEqual(["int8-weights", 1]);
  expect(without.triedVariants.map(({ variant, verdict }) => [variant, verdict])).toEqual([
    ["int8-dynamic", "unsuited"],
    ["int8-static", "unsuited"],
    ["float16", "unsuited"],
  ]);
});

test.each([
  [1.009, "agrees"],
  [1.02, "disagrees"],
] as const)("float16 is held to the signed answers of the exact weights: %f %s", async (answer, verdict) => {
  // The base came as int8, and is further off than float16 may be.
  const behaviours = { base: { answer: 1.04, runMs: 5 }, float16: { answer, runMs: 3 } };
  const { triedVariants, variant } = await choose("ort-webgpu", behaviours);
  expect(triedVariants[1]).toMatchObject({ variant: "float16", verdict });
  expect(variant).toBe(verdict === "agrees" ? "float16" : "int8-weights");
});

test.each([
  [1.04, "agrees"],
  [1.06, "disagrees"],
] as const)("integers are held to the reference: %f %s", async (answer, verdict) => {
  const behaviours = { "int8-dynamic": { answer, runMs: 3 }, "int8-static": { answer, runMs: 3 } };
  const { triedVariants } = await choose("ort-wasm", behaviours);
  expect(triedVariants.slice(1, 3)).toMatchObject([{ verdict }, { verdict }]);
});

test("a choice is remembered for this device and these forms; what the base won costs no download", async () => {
  const behaviours = { base: { answer: 1, runMs: 2 }, "int8-dynamic": AGREE, "int8-static": AGREE };
  const first = await choose("ort-node", behaviours);
  downloaded = [];
  const again = await choose("ort-node", behaviours);
  expect([again.variant, again.triedVariants, downloaded]).toEqual(["int8-weights", first.triedVariants, []]);
  const fewer = { ...manifest, variants: manifest.variants!.slice(0, 1) };
  await choose("ort-node", behaviours, { manifest: fewer });
  expect(downloaded).toEqual(["int8-dynamic.onnx"]);
});

test("a form that cannot be had, or loaded, is passed over; only what cannot be had is tried again", async () => {
  const behaviours = { "int8-static": AGREE };
  const { variant, triedVariants } = await choose("ort-node", behaviours);
  expect([variant, triedVariants[1]?.verdict]).toEqual(["int8-static", "failed"]);
  expect(remembered).toMatchObject({ form: "int8-static" });
  remembered = undefined;
  const offline = await choose("ort-node", behaviours, {
    fileOf: async () => {
      throw failure("transport/connect-failed", "offline");
    },
  });
  expect([offline.variant, remembered]).toEqual(["int8-weights", undefined]);
  expect(offline.triedVariants.map(({ verdict }) => verdict)).toEqual([
    "reference",
    "failed",
    "failed",
    "unsuited",
  ]);
});

test("who gives up leaves nothing open but the base", async () => {
  const stop = new AbortController();
  const chosen = choose(
    "ort-node",
    { "int8-dynamic": AGREE },
    {
      signal: stop.signal,
      fileOf: async (target) => {
        if (target === "int8-static.onnx") stop.abort(new Error("enough"));
        stop.signal.throwIfAborted();
        return { target, digest: "int8-dynamic" as Digest, sizeBytes: 1 };
      },
    },
  );
  await expect(chosen).rejects.toThrow("enough");
  expect([...open]).toEqual(["base"]);
});
