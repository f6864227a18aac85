import { asModelName, asModelVersion, asRoundId, asTaskName } from "@tributary/core";
import { EMPTY_AUDIT_LOG, followAudit, type AuditRecord, type NewAuditRecord } from "@tributary/protocol";
import { describe, expect, test } from "vitest";
import type { AuditFilter } from "../ports/audit-repository.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { exampleAudit, exampleDevice } from "./records.ts";

const [DIGITS, CATS, TASK] = [asModelName("digits"), asModelName("cats"), asTaskName("digits-task")];
const ROUND = asRoundId("digits-task-1");

const RECORDS: readonly NewAuditRecord[] = [
  exampleAudit("model.publish", { object: { model: DIGITS, version: asModelVersion(1) } }),
  exampleAudit("task.create", { object: { model: DIGITS, task: TASK } }),
  exampleAudit("round.commit", {
    actor: { kind: "coordinator", task: TASK, round: ROUND },
    object: { model: DIGITS, version: asModelVersion(2), task: TASK, round: ROUND },
    detail: { note: 'β "quoted" \\ \n', list: [1, -0.5, 1e-9, null, true], nested: { b: {}, a: [] } },
  }),
  exampleAudit("model.publish", { object: { model: CATS, version: asModelVersion(2) } }),
];

/** The audit log; part of the metadata store's suite. */
export function describeStoredAudit(opened: () => MetadataStore): void {
  describe("audit log", () => {
    async function fill(): Promise<AuditRecord[]> {
      const { audit } = opened();
      const first = await audit.append(RECORDS.slice(0, 2), 1_000);
      const rest = [];
      for (const [index, record] of RECORDS.slice(2).entries())
        rest.push(...(await audit.append([record], 2_000 + index)));
      return [...first, ...rest];
    }

    test("each record has the hash of the one before it, and reads back as it was hashed", async () => {
      const { audit } = opened();
      expect(await audit.head()).toEqual(EMPTY_AUDIT_LOG);
      expect(await audit.append([], 1)).toEqual([]);
      const appended = await fill();
      expect(await audit.count("model.publish")).toBe(2);
      expect(await audit.count("device.erase")).toBe(0);
      const stored = await audit.read(0, 10);
      expect(stored).toEqual(appended);
      expect(stored.map(({ index, at, action }) => [index, Date.parse(at), action])).toEqual([
        [0, 1_000, "model.publish"],
        [1, 1_000, "task.create"],
        [2, 2_000, "round.commit"],
        [3, 2_001, "model.publish"],
      ]);
      expect(stored.reduce(followAudit, EMPTY_AUDIT_LOG)).toEqual(await audit.head());
      expect(await audit.read(2, 1)).toEqual([stored[2]]);
      expect([await audit.get(3), await audit.get(4)]).toEqual([stored[3], undefined]);
    });

    test.each<[string, AuditFilter, readonly number[]]>([
      ["nothing", {}, [3, 2, 1, 0]],
      ["an actor", { actor: "coordinator" }, [2]],
      ["an action", { action: "model.publish" }, [3, 0]],
      ["a model", { object: { model: DIGITS } }, [2, 1, 0]],
      ["a version of a model", { object: { model: DIGITS, version: asModelVersion(2) } }, [2]],
      ["a round", { object: { round: ROUND } }, [2]],
      ["a time", { since: 1_001, until: 2_001 }, [2]],
      [
        "all together",
        { actor: "operator", action: "model.publish", object: { model: CATS }, since: 2_001 },
        [3],
      ],
      ["what there is none of", { object: { alias: "champion" } }, []],
    ])("is looked through by %s, newest first", async (_, filter, expected) => {
      await fill();
      const { audit } = opened();
      const indices = async (options: { readonly limit: number; readonly before?: number }) =>
        (await audit.list(filter, options)).map(({ index }) => index);
      expect(await indices({ limit: 10 })).toEqual(expected);
      expect(await indices({ limit: 1 })).toEqual(expected.slice(0, 1));
      expect(await indices({ limit: 10, before: 2 })).toEqual(expected.filter((index) => index < 2));
    });

    test("records written at the same time stand one after the other", async () => {
      const { audit } = opened();
      await Promise.all(Array.from({ length: 8 }, (_, at) => audit.append([exampleAudit("task.pause")], at)));
      const stored = await audit.read(0, 10);
      expect(stored).toHaveLength(8);
      expect(stored.reduce(followAudit, EMPTY_AUDIT_LOG)).toEqual(await audit.head());
    });

    test("a detail that is too long is not recorded, nor what would be recorded with it", async () => {
      const { audit } = opened();
      const long = exampleAudit("task.create", { detail: { text: "x".repeat(4_096) } });
      await expect(audit.append([exampleAudit("task.pause"), long], 1)).rejects.toThrow(RangeError);
      expect(await audit.head()).toEqual(EMPTY_AUDIT_LOG);
    });

    test("a transaction that fails records nothing", async () => {
      const store = opened();
      const failed = store.transaction(async (tx) => {
        await tx.audit.append([exampleAudit("task.pause")], 1);
        throw new Error("no");
      });
      await expect(failed).rejects.toThrow("no");
      expect(await store.audit.head()).toEqual(EMPTY_AUDIT_LOG);
    });

    test("a device has one name in it, which an erased device leaves behind", async () => {
      const { audit, devices } = opened();
      const [device, name, other] = [1, 2, 3].map((index) => exampleDevice(index).deviceId);
      await devices.enrol(exampleDevice(1));
      expect(await audit.pseudonym(device!)).toBeUndefined();
      expect(await audit.setPseudonym(device!, name!)).toBe(name);
      expect(await audit.setPseudonym(device!, other!)).toBe(name);
      await audit.append([exampleAudit("device.erase", { object: { device: name! } })], 1);
      await devices.erase(device!, name!);
      expect(await audit.pseudonym(device!)).toBeUndefined();
      expect(await audit.list({ object: { device: name! } }, { limit: 5 })).toHaveLength(1);
    });
  });
}
