import type { KeyRoleView } from "@tributary/api-client";
import { expect, test } from "vitest";
import { releaseNotices } from "../src/model/release-notices.ts";

const role = (name: string, more: Partial<KeyRoleView>): KeyRoleView => ({
  role: name,
  model: null,
  online: false,
  threshold: 1,
  keys: [],
  version: 1,
  expiresAt: "2027-01-01T00:00:00.000Z",
  expiresInDays: 100,
  waiting: null,
  ...more,
});

test("operators are told what waits for signatures, what expires soon, and what devices refuse; nothing else", () => {
  const waiting = { version: 2, reason: "change" as const, signatures: [{ have: 1, need: 2 }] };
  const notices = releaseNotices(
    [
      role("targets", {}),
      role("timestamp", { expiresInDays: 3 }),
      role("snapshot", { expiresInDays: 4 }),
      role("digits", { waiting }),
      role("root", { waiting: { ...waiting, reason: "renewal" }, expiresInDays: 150 }),
    ],
    [{ model: "digits", version: 7, code: "runtime/self-check-failed", devices: 1 }],
  );
  expect(notices.map(({ title }) => title)).toEqual([
    'Metadata of "timestamp" expires in 3 days.',
    'A change of "digits" waits for signatures.',
    'Metadata of "root" expires in 150 days, and its renewal waits for signatures.',
    "1 device does not run version 7 of digits.",
  ]);
  expect(notices[1]).toMatchObject({
    text: expect.stringContaining("1 of 2"),
    command: "tributary keys export digits",
  });
});
