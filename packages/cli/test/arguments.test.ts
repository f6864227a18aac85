import { InvalidArgumentError } from "commander";
import { expect, test } from "vitest";
import { integerBetween, list } from "../src/arguments.ts";

const port = integerBetween(0, 65_535);

test("whole numbers within a range", () => {
  expect([port("0"), port("7700"), port("65535")]).toEqual([0, 7700, 65_535]);
});

test.each(["", " ", "-1", "65536", "1.5", "x", "7700x", "NaN", "Infinity"])(
  "%j is no port, and the message says what is",
  (text) => {
    expect(() => port(text)).toThrow(InvalidArgumentError);
    expect(() => port(text)).toThrow(`from 0 to 65535, got "${text}"`);
  },
);

test("lists are given by commas, by repeating, or both", () => {
  expect(list("https://a.example, https://b.example", [])).toEqual([
    "https://a.example",
    "https://b.example",
  ]);
  expect(list("c", ["a", "b"])).toEqual(["a", "b", "c"]);
  expect(list(" , ", ["a"])).toEqual(["a"]);
});
