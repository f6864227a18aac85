import {
  decode,
  encode,
  failure,
  fromWire,
  sha256,
  struct,
  systemRandom,
  text,
  toWire,
  u53,
} from "@tributary/core";
import { expect, test } from "vitest";
import { expectGoldenNumbers } from "./golden-numbers.ts";

test("a seed gives the same numbers as in Node", () => {
  expectGoldenNumbers();
});

test("bytes, digests and errors are the same as in Node", () => {
  const Message = struct({ at: u53, name: text({ max: 20 }) });
  const bytes = encode(Message, { at: 2 ** 52 + 1, name: "Größe" });
  expect(sha256(bytes)).toBe("502bbee4b6c94c8f4d4948095921bbda02b3fa16d67f7feab693116dd8fc8dcc");
  expect(decode(Message, bytes)).toEqual({ at: 2 ** 52 + 1, name: "Größe" });
  const error = structuredClone(toWire(failure("core/closed", "x", { detail: { a: 1 } })));
  expect(fromWire(error)).toMatchObject({ code: "core/closed", detail: { a: 1 } });
  expect(systemRandom.bytes(70_000)).toHaveLength(70_000);
});
