import { expect, test } from "vitest";
import { GROUP_WAIT_MS, isTold, noticeOf, tellAt } from "../../src/notify/notices.ts";
import type { AlertRecord, SilenceRecord } from "../../src/ports/alert-records.ts";
import { exampleAlert } from "../../src/testing/describe-stored-alerts.ts";

const HOUR = 3_600_000;
const rule = { name: "rounds-fail", repeatMs: 4 * HOUR };
const alert = (id: number, changes: Partial<AlertRecord> = {}): AlertRecord => ({
  ...exampleAlert({ fingerprint: String(id) }),
  id,
  firingSince: 0,
  ...changes,
});
const group = (firing: readonly AlertRecord[], untold: readonly AlertRecord[] = []) => ({
  rule,
  firing,
  untold,
});
const silence: SilenceRecord = {
  id: 1,
  matcher: { rule: "rounds-fail" },
  startsAt: 0,
  endsAt: HOUR,
  by: "Ada",
  comment: "",
};
const ids = (alerts: readonly AlertRecord[] = []) => alerts.map(({ id }) => id);

test("alerts of a rule wait for each other, are told together, and again while nobody has seen them", () => {
  const first = alert(1);
  const second = alert(2, { firingSince: 8_000 });
  expect(noticeOf(group([first]), [], GROUP_WAIT_MS - 1)).toBeUndefined();
  expect(tellAt(group([first, second]))).toBe(GROUP_WAIT_MS);
  const notice = noticeOf(group([first, second]), [], GROUP_WAIT_MS)!;
  expect(notice.status).toBe("firing");
  expect(ids(notice.alerts)).toEqual([1, 2]);
  expect(notice.told).toMatchObject([
    { id: 1, told: "firing", toldAt: GROUP_WAIT_MS },
    { id: 2, told: "firing" },
  ]);
  expect(tellAt(group(notice.told))).toBeUndefined();
  expect(noticeOf(group(notice.told), [], GROUP_WAIT_MS + 4 * HOUR - 1)).toBeUndefined();
  expect(ids(noticeOf(group(notice.told), [], GROUP_WAIT_MS + 4 * HOUR)?.alerts)).toEqual([1, 2]);
  const acknowledgement = { by: "Ada", comment: "", at: 5 };
  const seen = notice.told.map((each) => ({ ...each, acknowledgement }));
  expect(noticeOf(group(seen), [], 100 * HOUR)).toBeUndefined();
  expect(noticeOf(group([alert(3, { acknowledgement })]), [], HOUR)).toBeUndefined();
});

test("what has resolved is told once, with what fires or alone; a silence keeps both back", () => {
  const resolved = alert(1, { state: "resolved", resolvedAt: 9, told: "firing", toldAt: 5 });
  const alone = noticeOf(group([], [resolved]), [], 20)!;
  expect(alone).toMatchObject({ status: "resolved", told: [{ id: 1, told: "resolved", toldAt: 20 }] });
  const both = noticeOf(group([alert(2)], [resolved]), [], GROUP_WAIT_MS)!;
  expect([both.status, ids(both.alerts), both.told.map(({ told }) => told)]).toEqual([
    "firing",
    [2, 1],
    ["firing", "resolved"],
  ]);
  const silenced = noticeOf(group([alert(2)], [resolved]), [silence], GROUP_WAIT_MS)!;
  expect(silenced).toMatchObject({ alerts: [], told: [{ id: 1, told: "resolved" }] });
  // After the silence what still fires is told.
  expect(ids(noticeOf(group([alert(2)]), [silence], HOUR)?.alerts)).toEqual([2]);
});

test("a channel is told of its rules, from its severity on, and of ends where it wants them", () => {
  const channel = {
    formatVersion: 1 as const,
    name: "ops",
    enabled: true,
    minimumSeverity: "warning" as const,
    rules: [] as string[],
    resolved: true,
    target: { kind: "slack" as const, url: { stored: true as const } },
  };
  const firing = { status: "firing" as const, alerts: [alert(1), alert(2, { severity: "info" })] };
  const told = (changes: object, notice: Parameters<typeof isTold>[2] = firing) =>
    isTold({ channel: { ...channel, ...changes } }, "rounds-fail", notice);
  expect(told({})).toBe(true);
  expect(told({ enabled: false })).toBe(false);
  expect(told({ minimumSeverity: "critical" })).toBe(false);
  expect(told({}, { ...firing, alerts: [alert(2, { severity: "info" })] })).toBe(false);
  expect(told({ rules: ["drift"] })).toBe(false);
  expect(told({ rules: ["rounds-fail"] })).toBe(true);
  expect(told({ resolved: false }, { ...firing, status: "resolved" })).toBe(false);
  expect(told({}, { ...firing, alerts: [] })).toBe(false);
});
