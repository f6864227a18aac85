import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RUNTIME_VERSION } from "../src/version.ts";

test("the runtime knows its own version", () => {
  const file = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  expect(RUNTIME_VERSION).toBe((JSON.parse(file) as { version: string }).version);
});
