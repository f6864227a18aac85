import type { ApiClient } from "@tributary/api-client";
import { expect, test } from "vitest";
import { auditFile } from "../src/model/audit-file.ts";
import { retentionWords } from "../src/model/retention-words.ts";
import { evidence } from "../src/model/rollout-lines.ts";
import { auditFilter } from "../src/pages/audit/audit-filter.ts";

test("an address names what is looked for; days are those of whoever looks, the last one with them", () => {
  const filter = auditFilter(
    new URLSearchParams("actor=operator&model= digits &task=&since=2026-11-01&until=2026-11-02&x=y"),
  );
  expect(filter).toEqual({
    actor: "operator",
    model: "digits",
    since: new Date(2026, 10, 1).toISOString(),
    until: new Date(2026, 10, 3).toISOString(),
  });
  expect(auditFilter(new URLSearchParams("since=yesterday"))).toEqual({});
});

test("a log of any length is saved whole, a record a line", async () => {
  const records = Array.from({ length: 2_300 }, (_, index) => ({ index }));
  const api = {
    auditRecords: async ({ start, limit = 1_000 }: { start: number; limit?: number }) =>
      records.slice(start, start + limit),
  } as unknown as ApiClient;
  const lines = (await auditFile(api)).trimEnd().split("\n");
  expect(lines).toHaveLength(2_300);
  expect(JSON.parse(lines.at(-1)!)).toEqual({ index: 2_299 });
});

test("evidence grows by factors, and below 1 there is none", () => {
  expect(evidence(0.2, 0.01).share).toBe(0);
  expect(evidence(10, 0.01)).toEqual({ words: "e-value 10 of 100", share: 0.5 });
  expect(evidence(1e9, 0.01).share).toBe(1);
});

test("a retention rule is a sentence", () => {
  expect(retentionWords({ newest: 20, releasedWithinDays: 0, deleteFiles: false }, 21)).toBe(
    "The 20 newest stay; 21 can be downloaded. Files of the others stay in the coordinator's folder.",
  );
  expect(retentionWords({ newest: 3, releasedWithinDays: 1, deleteFiles: true }, 3)).toContain(
    "and what a channel pointed to within a day",
  );
});
