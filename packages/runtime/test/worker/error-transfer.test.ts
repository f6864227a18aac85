import { failure } from "@tributary/core";
import { expect, test } from "vitest";
import { settle, unsettle } from "../../src/worker/error-transfer.ts";

/** Over a structured clone, as between a page and its worker. */
async function cross(thrown: unknown): Promise<unknown> {
  const settled = structuredClone(
    await settle(() => {
      throw thrown;
    }),
  );
  try {
    unsettle(settled);
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

test("our errors keep code, message, detail and stack", async () => {
  const error = failure("tuf/rollback", "tuf: timestamp 3 is older than 5", { detail: { version: 3 } });
  const crossed = await cross(error);
  expect(crossed).toMatchObject({ code: "tuf/rollback", detail: { version: 3 } });
  expect((crossed as Error).message).toBe(error.message);
  expect((crossed as Error).stack).toBe(error.stack);
});

test("built-in errors keep their class, aborts their name, other values themselves", async () => {
  expect(await cross(new RangeError("too far"))).toBeInstanceOf(RangeError);
  expect(await cross(new TypeError("no"))).toMatchObject({ name: "TypeError", message: "no" });
  const abort = await cross(new DOMException("stopped", "AbortError"));
  expect(abort).toBeInstanceOf(DOMException);
  expect(abort).toMatchObject({ name: "AbortError", message: "stopped" });
  class Odd extends Error {
    override name = "Odd";
  }
  expect(await cross(new Odd("odd"))).toMatchObject({ name: "Odd", message: "odd" });
  expect(await cross("a text")).toBe("a text");
});

test("values pass", async () => {
  expect(unsettle(structuredClone(await settle(async () => ({ a: [1] }))))).toEqual({ a: [1] });
});
