import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom, TributaryError } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { sortNodes } from "../src/ir/graph-order.ts";
import { decodeModel, describeModel, encodeModel, inferShapes } from "../src/index.ts";
import { dataCases, dataFolder } from "./support/data.ts";
import { cpuMs } from "./support/usage.ts";

// Published models with bytes changed, cut, doubled or left out: whatever comes, a result or a coded error
// within a second of computing.

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

/** The name of a step that took too long or threw something else than a coded error. */
function mishap(bytes: Uint8Array): string | undefined {
  const steps = {
    read: () => void decodeModel(bytes),
    sort: () => void sortNodes(decodeModel(bytes).graph),
    write: () => void encodeModel(decodeModel(bytes)),
    infer: () => void inferShapes(decodeModel(bytes)),
    describe: () => void describeModel(bytes),
  };
  for (const [name, step] of Object.entries(steps)) {
    let thrown: Error | undefined;
    const took = cpuMs(() => {
      try {
        step();
      } catch (error) {
        if (!TributaryError.is(error)) thrown = error as Error;
      }
    });
    if (thrown !== undefined) return `${name}: ${thrown.stack}`;
    if (took > SLOWEST_MS) return `${name} took ${took.toFixed()} ms`;
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
