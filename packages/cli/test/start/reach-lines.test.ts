import { expect, test } from "vitest";
import { reachLines } from "../../src/start/start.ts";

const coordinator = { url: "http://127.0.0.1:7700", setupUrl: "http://127.0.0.1:7700/setup#code=once" };
const told = (host: string, setupUrl: string | null = coordinator.setupUrl): string =>
  reachLines(host, { ...coordinator, setupUrl }, "http://127.0.0.1:7701").join("\n");

test("the link of the first account is for those who are not let look without one", () => {
  for (const host of ["127.0.0.1", "localhost"]) expect(told(host)).not.toContain("code=");
  expect(told("0.0.0.0")).toContain(coordinator.setupUrl);
  expect(told("0.0.0.0")).toContain("secure context");
  // There is an account already.
  expect(told("0.0.0.0", null)).not.toContain("account");
});
