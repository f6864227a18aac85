import { expect, test } from "vitest";
import { createRuntime } from "../src/browser.ts";

test("where there is no secure context, the error says what to do", async () => {
  // Node has none, as a page served over plain http from another machine has none.
  const opening = createRuntime({
    coordinator: "https://fl.example.org",
    trust: { root: new Uint8Array(0) },
  });
  await expect(opening).rejects.toMatchObject({ code: "runtime/insecure-context", retryable: false });
  await expect(opening).rejects.toThrow(/https.*localhost/);
});
