import { describe, expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { codeOf } from "./code-of.ts";

/** Requests that must not be done twice; part of the metadata store's suite. */
export function describeIdempotentRequests(opened: () => MetadataStore): void {
  describe("requests with an idempotency key", () => {
    const begun = { id: "a", request: "POST /v1/tasks", at: 10 };
    const answer = { status: 201, contentType: "application/json", body: '{"name":"x"}' };

    test("are begun once, answered, and forgotten with time", async () => {
      const { idempotentRequests: requests } = opened();
      await requests.begin(begun);
      expect(await requests.get("a")).toEqual({ ...begun, bodyDigest: null, answer: null });
      expect(await codeOf(requests.begin({ ...begun, at: 20 }))).toBe("store/conflict");
      await requests.finish("a", "d1", answer);
      expect(await requests.get("a")).toEqual({ ...begun, bodyDigest: "d1", answer });
      await requests.begin({ ...begun, id: "b", at: 20 });
      expect(await requests.count()).toBe(2);
      await requests.prune(20);
      expect(await requests.get("a")).toBeUndefined();
      expect(await requests.count()).toBe(1);
    });

    test("may be done and their answer not kept, or come to nothing", async () => {
      const { idempotentRequests: requests } = opened();
      await requests.begin(begun);
      await requests.finish("a", "d1", null);
      expect(await requests.get("a")).toEqual({ ...begun, bodyDigest: "d1", answer: null });
      await requests.forget("a");
      expect(await requests.get("a")).toBeUndefined();
      await requests.begin(begun);
    });
  });
}
