import { expect, test } from "vitest";
import { providerHref, signInProblem } from "../src/model/sign-in-words.ts";

test("whoever comes back without having been let in is told why", () => {
  expect(signInProblem("?x=1", "Example")).toBeUndefined();
  expect(signInProblem("?problem=identity%2Fno-role", "Example")).toContain("Example knows you");
  // Anybody can write an address: nothing of it is shown.
  expect(signInProblem("?problem=%3Cb%3Ecall+555", "Example")).not.toContain("call");
});

test("the way to the provider has the way back", () => {
  const here = { pathname: "/models/digits", search: "?version=2&problem=identity%2Fno-role" };
  expect(providerHref(here)).toBe("/v1/session/oidc?returnTo=%2Fmodels%2Fdigits%3Fversion%3D2");
  expect(providerHref({ pathname: "/", search: "" })).toBe("/v1/session/oidc?returnTo=%2F");
});
