import { expect, test } from "vitest";
import { originsByPopulation } from "../src/process-options.ts";

test("origins belong to the population they name, else to --population", () => {
  const allowOrigin = ["https://app.example", "clinics=https://a.example:8443", "clinics=*", "http://x/?a=b"];
  expect(originsByPopulation({ allowOrigin, population: "homes" })).toEqual({
    // The last one is refused by the coordinator, as written.
    homes: ["https://app.example", "http://x/?a=b"],
    clinics: ["https://a.example:8443", "*"],
  });
  expect(() => originsByPopulation({ allowOrigin: ["No Name=*"], population: "homes" })).toThrow();
});
