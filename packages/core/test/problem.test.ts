import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ERROR_CATALOG,
  failure,
  fromProblem,
  problemType,
  statusOf,
  toProblem,
  TributaryError,
  type ErrorCode,
} from "@tributary/core";

test("has what RFC 9457 names, and what a program goes by", () => {
  const error = failure("http/bad-request", "secret path /home/me", {
    detail: { in: "body", path: "/name" },
    cause: new Error("inner"),
  });
  expect(toProblem(error, { instance: "urn:uuid:1" })).toEqual({
    type: "/problems/http/bad-request",
    title: ERROR_CATALOG["http/bad-request"].publicMessage,
    status: 400,
    detail: "in: body; path: /name",
    instance: "urn:uuid:1",
    code: "http/bad-request",
    data: { in: "body", path: "/name" },
    retryable: false,
  });
  expect(JSON.stringify(toProblem(error))).not.toContain("secret");
});

test("says what to do where the catalogue knows, and nothing of what went wrong inside", () => {
  const inside = failure("core/internal", "x", { detail: { path: "/var/lib/keys" } });
  expect(toProblem(inside)).toMatchObject({ status: 500, data: {} });
  expect(JSON.stringify(toProblem(inside))).not.toContain("/var/lib");
  expect(toProblem(failure("codec/unknown-tag", "x")).advice).toBe(ERROR_CATALOG["codec/unknown-tag"].advice);
});

test.each(Object.keys(ERROR_CATALOG) as ErrorCode[])("%s comes back as itself", (code) => {
  const error = failure(code, "x", { detail: { a: 1, b: null } });
  const problem = toProblem(error);
  expect(problem.type).toBe(problemType(code));
  const back = fromProblem(JSON.parse(JSON.stringify(problem)) as typeof problem);
  expect(back).toMatchObject({
    code,
    retryable: error.retryable,
    detail: statusOf(error) === 500 ? {} : { a: 1, b: null },
  });
});

test("what is no problem makes a bounded error, never an exception", () => {
  fc.assert(
    fc.property(fc.object(), (junk) => {
      const back = fromProblem(junk);
      expect(TributaryError.is(back)).toBe(true);
      expect(Object.keys(back.detail).length).toBeLessThanOrEqual(34);
    }),
  );
});
