import type { AuditRecordView } from "@tributary/api-client";
import { expect, test } from "vitest";
import { auditActor, auditDetail, auditObject, auditSigned } from "../src/model/audit-lines.ts";

test.each<[AuditRecordView["actor"], string]>([
  [{ kind: "operator", via: "http" }, "by an operator"],
  [{ kind: "operator", via: "http", name: "ada" }, "by ada"],
  [{ kind: "operator", via: "files" }, "by an operator, in the data directory"],
  [{ kind: "coordinator" }, "by itself"],
  [{ kind: "coordinator", task: "digits" }, "by itself, for task digits"],
  [{ kind: "coordinator", task: "digits", round: "digits-7" }, "by itself, in round digits-7"],
  [{ kind: "device" }, "by the device itself"],
])("who did it: %j", (actor, words) => {
  expect(auditActor(actor)).toBe(words);
});

test("what it was done to, and what else there is to say", () => {
  const device = "0123456789abcdef0123456789abcdef";
  expect(auditObject({ model: "digits", version: 3, channel: "stable" })).toBe(
    "digits, version 3, channel stable",
  );
  expect(auditObject({ task: "learn", round: "learn-7", device })).toBe("task learn, device 01234567");
  expect(auditObject({})).toBe("");
  const detail = {
    weights: "ab".repeat(32),
    loss: 0.123456789,
    gatePlan: null,
    reason: { code: "gate", message: "2 versions did not pass" },
    keyIds: ["cd".repeat(32), "b"],
    released: true,
  };
  expect(auditDetail(detail)).toBe(
    "weights ababababab, loss 0.1235, reason 2 versions did not pass, keyIds cdcdcdcdcd b, released true",
  );
});

test("lists of what has fields of its own", () => {
  const arms = [{ name: "third", version: 3, ended: null }];
  expect(auditDetail({ control: 2, arms })).toBe("control 2, arms (name third, version 3)");
});

test("how far it is signed", () => {
  const signed = (size: number) => ({ size, timestampVersion: 9 });
  expect(auditSigned({ size: 1 }, signed(1))).toBe("1 record, signed by timestamp 9");
  expect(auditSigned({ size: 5 }, signed(3))).toBe("5 records, 3 of them signed by timestamp 9");
  expect(auditSigned({ size: 5 }, null)).toBe("5 records, none of them signed");
});
