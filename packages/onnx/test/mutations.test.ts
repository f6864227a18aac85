import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom, TributaryError } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import { describe, expect, test } from "vitest";
import { sortNodes } from "../src/ir/graph-order.ts";
import { decodeModel, describeModel, encodeModel, inferShapes } from "../src/index.ts";
import { WireWriter } from "../src/proto/wire-writer.ts";
import { dataCases, dataFolder } from "./support/data.ts";

// Published models with bytes changed, cut, doubled or left out: whatever comes, a result or a coded error
// within a second and four times the file in memory.

const models = dataFolder("onnx-models");
const full = process.env["TRIBUTARY_TEST_FULL"] === "1";
const ROUNDS = full ? 400 : 60;
const SLOWEST_MS = 1000;

/** Protobuf bytes that lengths, tags and varints are made of, likelier to hurt than others. */
const NASTY = [0x00, 0x01, 0x0a, 0x12, 0x3a, 0x7f, 0x80, 0xff];

function mutated(bytes: Uint8Array, seed: string): Uint8Array {
  const random = seededRandom(seed);
  const at = (): number => {
    // Structure sits before and behind the weights more often than within.
    const near = Math.min(bytes.length, 4000);
    const where = random.integer(4);
    if (where === 0) return random.integer(bytes.length);
    return where === 1 ? bytes.length - 1 - random.integer(near) : random.integer(near);
  };
  switch (random.integer(5)) {
    case 0:
      return bytes.subarray(0, at());
    case 1: {
      const [from, length] = [at(), 1 + random.integer(64)];
      return joined([bytes.subarray(0, from), bytes.subarray(from + length)]);
    }
    case 2: {
      const [from, length] = [at(), 1 + random.integer(256)];
      return joined([bytes.subarray(0, from + length), bytes.subarray(from)]);
    }
    default: {
      const changed = Uint8Array.from(bytes);
      for (let i = 1 + random.integer(4); i > 0; i -= 1) {
        changed[at()] = random.integer(2) === 0 ? NASTY[random.integer(NASTY.length)]! : random.integer(256);
      }
      return changed;
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Time of a step, tried again where other work of the machine may have slowed it. */
function fastestMs(run: () => void): number {
  let fastest = Infinity;
  for (let i = 0; i < 3 && fastest > SLOWEST_MS; i += 1) {
    const start = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - start);
  }
  return fastest;
}

/** The name of a step that took too long or threw something else than a coded error. */
function mishap(bytes: Uint8Array): string | undefined {
  const steps = {
    read: () => void decodeModel(bytes),
    sort: () => void sortNodes(decodeModel(bytes).graph),
    write: () => void encodeModel(decodeModel(bytes)),
    infer: () => void inferShapes(decodeModel(bytes)),
    ...(bytes.length < 50_000 || full ? { describe: () => void describeModel(bytes) } : {}),
  };
  for (const [name, step] of Object.entries(steps)) {
    let thrown: Error | undefined;
    const took = fastestMs(() => {
      try {
        step();
      } catch (error) {
        if (!TributaryError.is(error)) thrown = error as Error;
      }
    });
    if (thrown !== undefined) return `${name}: ${thrown.stack}`;
    // Building a training graph to describe it is not reading: it has its own limits.
    if (name !== "describe" && took > SLOWEST_MS) return `${name} took ${took.toFixed()} ms`;
  }
  return undefined;
}

describe.skipIf(models === undefined)("changed copies of", () => {
  test.each(dataCases(models))(
    "%s",
    (name) => {
      const bytes = new Uint8Array(readFileSync(join(models!, name, "model.onnx")));
      const rounds = full
        ? ROUNDS
        : Math.max(4, Math.ceil((ROUNDS * 30_000) / Math.max(30_000, bytes.length)));
      const mishaps: string[] = [];
      for (let i = 0; i < rounds; i += 1) {
        const seed = `${name} ${i}`;
        const found = mishap(mutated(bytes, seed));
        if (found !== undefined) mishaps.push(`seed "${seed}": ${found}`);
      }
      expect(mishaps).toEqual([]);
    },
    120_000,
  );
});

describe("memory", () => {
  /** Bytes of arrays and of the heap that reading takes beyond the file itself. */
  function growth(run: () => unknown): number {
    const before = process.memoryUsage();
    const kept = run();
    const after = process.memoryUsage();
    expect(kept).toBeDefined();
    return after.arrayBuffers - before.arrayBuffers + Math.max(0, after.heapUsed - before.heapUsed);
  }

  test("a large file is read without a copy of its weights and written with one", () => {
    const size = 32_000_000;
    const weights = {
      name: "w",
      elementType: "float32" as const,
      dims: [size / 4],
      data: new Uint8Array(size),
    };
    const bytes = encodeModel({
      irVersion: 8,
      producerName: "",
      producerVersion: "",
      domain: "",
      modelVersion: 0,
      opsetImports: [{ domain: "", version: 17 }],
      metadata: [],
      graph: { name: "g", nodes: [], initializers: [weights], inputs: [], outputs: [], valueInfo: [] },
    });
    expect(bytes.buffer.byteLength).toBe(bytes.length);
    expect(growth(() => decodeModel(bytes))).toBeLessThan(0.05 * size);
    const model = decodeModel(bytes);
    expect(model.graph.initializers[0]!.data.buffer).toBe(bytes.buffer);
    expect(growth(() => encodeModel(model))).toBeLessThan(1.1 * size);
  });

  const megabytes = 4;
  const repeated = (pair: readonly number[], wrap: readonly number[][]) => (): Uint8Array => {
    let body = new Uint8Array(megabytes * 1_000_000);
    for (let i = 0; i < body.length; i += 1) body[i] = pair[i % pair.length]!;
    for (const [field] of wrap) {
      const writer = new WireWriter(body.length + 16);
      writer.bytesField(field!, body);
      body = writer.finish();
    }
    return body;
  };
  // Two bytes of file for an object each; a graph is field 7 of the model, a node field 1 of the graph.
  test.each([
    ["empty nodes", repeated([0x0a, 0x00], [[7]])],
    ["empty initializers", repeated([0x2a, 0x00], [[7]])],
    ["attributes of a node", repeated([0x2a, 0x00], [[1], [7]])],
    ["functions", repeated([0xca, 0x01, 0x00, 0x08, 0x01], [])],
    ["known and unknown fields in turn", repeated([0x08, 0x01, 0x78, 0x01], [])],
    ["strings of a tensor", repeated([0x32, 0x00], [[5], [7]])],
  ])(`${megabytes} MB of %s are refused or read in bounded time and memory`, (_, make) => {
    const bytes = make();
    const code = () => codeOf(() => decodeModel(bytes));
    const used = growth(code);
    expect(code()).toMatch(/^onnx\//u);
    expect(fastestMs(code)).toBeLessThan(SLOWEST_MS);
    // Garbage that is not collected yet counts as used.
    expect(used).toBeLessThan(200_000_000);
  });
});
