import { codeOf } from "@tributary/core/testing";
import { expect, test } from "vitest";
import { checkVersion, chooseVersion } from "../src/index.ts";

const range = (minVersion: number, maxVersion: number) => ({ minVersion, maxVersion });

test("the newest version both speak is chosen", () => {
  expect(chooseVersion(range(1, 3), range(2, 5))).toBe(3);
  expect(chooseVersion(range(1, 9), range(1, 2))).toBe(2);
  expect(checkVersion(2, range(1, 3))).toBe(2);
});

test("a mismatch says which side is too old", () => {
  expect(codeOf(() => chooseVersion(range(3, 4), range(1, 2)))).toBe("protocol/client-too-old");
  expect(codeOf(() => chooseVersion(range(1, 2), range(3, 4)))).toBe("protocol/server-too-old");
  expect(codeOf(() => checkVersion(1, range(2, 3)))).toBe("protocol/client-too-old");
  expect(codeOf(() => checkVersion(4, range(2, 3)))).toBe("protocol/server-too-old");
});
