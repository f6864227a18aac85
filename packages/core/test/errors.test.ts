import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ERROR_CATALOG,
  failure,
  fromWire,
  isErrorCode,
  statusOf,
  toFailure,
  toWire,
  TributaryError,
  type ErrorCode,
  type WireError,
} from "@tributary/core";
import { RETRYABLE_CODES } from "../src/retryable-codes.ts";

describe("the catalogue", () => {
  test.each(Object.entries(ERROR_CATALOG))("%s is complete", (code, spec) => {
    expect(code).toMatch(/^[a-z]+\/[a-z0-9-]+$/);
    expect(spec.status).toBeGreaterThanOrEqual(400);
    expect(spec.status).toBeLessThan(600);
    expect(spec.publicMessage).toMatch(/^[A-Z].*\.$/);
  });

  test("does not take Object's own names for codes", () => {
    expect(isErrorCode("toString")).toBe(false);
    expect(isErrorCode("codec/truncated")).toBe(true);
  });
});

describe("on the wire", () => {
  test("go code, public message and detail; never message, stack or cause", () => {
    const error = failure("store/corrupt", "secret path /home/me", {
      detail: { sizeBytes: 3 },
      cause: new Error("inner"),
    });
    const wire = JSON.stringify(toWire(error));
    expect(JSON.parse(wire)).toEqual({
      code: "store/corrupt",
      message: "Stored data does not match its digest.",
      detail: { sizeBytes: 3 },
      retryable: false,
    });
    expect(wire).not.toContain("secret");
  });

  test.each(Object.keys(ERROR_CATALOG) as ErrorCode[])("%s comes back as itself", (code) => {
    const back = fromWire(toWire(failure(code, "x", { detail: { a: 1, b: null } })));
    expect(back.code).toBe(code);
    expect(back.detail).toEqual({ a: 1, b: null });
    expect(statusOf(back)).toBe(ERROR_CATALOG[code].status);
    expect(back.retryable).toBe(RETRYABLE_CODES.has(code));
  });

  test("a code of a newer version keeps its name and whether to retry", () => {
    const back = fromWire({
      code: "round/moon-phase",
      message: "Wait.",
      detail: { phase: 3 },
      retryable: true,
    });
    expect(back.code).toBe("core/unknown-remote-code");
    expect(back.detail["remoteCode"]).toBe("round/moon-phase");
    expect(back.detail["phase"]).toBe(3);
    expect(back.retryable).toBe(true);
  });

  test("hostile input makes a bounded error, never an exception", () => {
    fc.assert(
      fc.property(fc.object(), (junk) => {
        const back = fromWire(junk as unknown as WireError);
        expect(TributaryError.is(back)).toBe(true);
        expect(Object.keys(back.detail).length).toBeLessThanOrEqual(34);
      }),
    );
    const long = fromWire({
      code: "x".repeat(9999),
      message: "y".repeat(9999),
      detail: { z: "z".repeat(9999) },
      retryable: false,
    });
    expect(JSON.stringify(toWire(long)).length).toBeLessThan(4000);
  });
});

describe("the brand", () => {
  test("holds without the prototype chain", () => {
    const error = failure("core/closed", "x");
    expect(error).toBeInstanceOf(TributaryError);
    expect(error).toBeInstanceOf(Error);
    expect(new Error("x")).not.toBeInstanceOf(TributaryError);
    const otherCopy = Object.assign(new Error("x"), {
      [Symbol.for("tributary.error")]: true,
      code: "core/closed",
    });
    expect(otherCopy).toBeInstanceOf(TributaryError);
  });

  test("toFailure keeps ours and wraps others", () => {
    const ours = failure("core/closed", "x");
    expect(toFailure(ours)).toBe(ours);
    const cause = new Error("boom");
    expect(toFailure(cause, "store/unavailable")).toMatchObject({
      code: "store/unavailable",
      cause,
      message: "boom",
    });
  });

  test("detail is frozen and a copy", () => {
    const detail = { n: 1 };
    const error = failure("core/closed", "x", { detail });
    detail.n = 2;
    expect(error.detail).toEqual({ n: 1 });
    expect(Object.isFrozen(error.detail)).toBe(true);
  });
});
