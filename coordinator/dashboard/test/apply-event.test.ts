import type { ModelView, ServerEvent, StatusView } from "@tributary/api-client";
import { describe, expect, test } from "vitest";
import {
  applyToActivity,
  applyToModels,
  applyToRounds,
  applyToStatus,
  applyToTasks,
  applyToVersion,
} from "../src/live/apply-event.ts";
import { createEventLog, readWithEvents } from "../src/live/event-log.ts";
import { aRound, aTask, aVersion } from "./views.ts";

const roundEvent = (more: Parameters<typeof aRound>[0], id = 1): ServerEvent => ({
  type: "round",
  id,
  data: aRound(more),
});

const aStatus = (): StatusView => ({
  name: "tributary",
  version: "0.1.0",
  startedAt: "",
  uptimeSeconds: 1,
  devices: { connected: 0, training: 0 },
  push: null,
  refusedVersions: [],
  models: 0,
  tasks: 0,
  storageProblem: null,
  demoUrl: null,
  issuer: { kind: "coordinator", name: "tributary", publicKey: "ab".repeat(32), certificates: 0 },
});

describe("what an event changes", () => {
  test("a round goes into its task and its list, newest first; other tasks keep theirs", () => {
    const event = roundEvent({ number: 8, id: "digits-8" });
    const other = aTask({ name: "words", round: aRound({ task: "words" }) });
    const tasks = applyToTasks([aTask({ round: aRound() }), other], event);
    expect(tasks[0]?.round?.number).toBe(8);
    expect(tasks[1]).toBe(other);
    expect(applyToRounds("digits", [aRound()], event).map(({ number }) => number)).toEqual([8, 7]);
    expect(applyToRounds("words", [], event)).toEqual([]);
  });

  test("the same round again replaces its row", () => {
    const rounds = applyToRounds("digits", [aRound()], roundEvent({ ready: 3 }));
    expect(rounds).toEqual([aRound({ ready: 3 })]);
  });

  test("a late word on an old round does not replace the round under way", () => {
    const tasks = applyToTasks([aTask({ round: aRound({ number: 9 }) })], roundEvent({ number: 8 }));
    expect(tasks[0]?.round?.number).toBe(9);
  });

  test("a version moves the model and its tasks on, once", () => {
    const event: ServerEvent = { type: "version", id: 1, data: aVersion(7, 6) };
    expect(applyToTasks([aTask()], event)[0]?.currentVersion).toBe(7);
    const model = {
      name: "digits",
      currentVersion: 6,
      releasedVersion: 6,
      releasedAt: "2026-11-01T09:00:00.000Z",
      channels: [{ name: "stable", version: 6, releasedAt: "2026-11-01T09:00:00.000Z" }],
      aliases: [{ name: "champion", version: 6, movedAt: "2026-11-01T09:00:00.000Z" }],
      parameterCount: 1,
      createdAt: "",
      versions: 6,
      inputs: [{ name: "image", dtype: "float32", shape: [] }],
      outputs: [{ name: "logits", dtype: "float32", shape: [] }],
    } as const;
    const once = applyToModels([model], event);
    expect(once[0]).toMatchObject({ currentVersion: 7, releasedVersion: 7, versions: 7 });
    const waiting = { ...event, data: { ...event.data, version: 8, releasedAt: null } };
    expect(applyToModels(once, waiting)[0]).toMatchObject({ currentVersion: 8, releasedVersion: 7 });
    const back = { ...event, data: { ...aVersion(6, 5), releasedAt: "2026-11-01T11:00:00.000Z" } };
    const rolledBack = applyToModels(once, back);
    expect(rolledBack[0]).toMatchObject({ currentVersion: 7, releasedVersion: 6, versions: 7 });
    // Read after both, told of the first again.
    expect(applyToModels(rolledBack, event)).toEqual(rolledBack);
    expect(applyToModels(once, event)).toEqual(once);
    expect(rolledBack[0]!.channels).toEqual([
      { name: "stable", version: 6, releasedAt: "2026-11-01T11:00:00.000Z" },
    ]);
    expect(rolledBack[0]!.aliases).toEqual([
      { name: "champion", version: 6, movedAt: "2026-11-01T11:00:00.000Z" },
    ]);
    expect(applyToVersion({ ...aVersion(7, 6), releasedAt: null }, event)).toEqual(aVersion(7, 6));
    expect(applyToVersion(aVersion(6, 5), event)).toEqual(aVersion(6, 5));
  });

  test("what a task waits for, and whether anything can be stored, is what was told last", () => {
    const idle = { nextRoundAt: null, failures: 0, checkedIn: 3, sittingOut: 0, ineligible: {} };
    const event: ServerEvent = {
      type: "activity",
      id: null,
      data: { ...idle, task: "learn", nextRoundAt: "2026-11-01T11:00:00.000Z" },
    };
    expect(applyToActivity("learn", idle, event).nextRoundAt).toBe("2026-11-01T11:00:00.000Z");
    expect(applyToActivity("other", idle, event)).toBe(idle);
    expect(applyToTasks([aTask()], event)).toEqual([aTask()]);
    const problem = { code: "store/quota-exceeded", since: "2026-11-01T11:00:00.000Z" };
    const status = applyToStatus(aStatus(), { type: "storage", id: null, data: { problem } });
    expect(status.storageProblem).toEqual(problem);
    expect(applyToStatus(status, { type: "storage", id: null, data: { problem: null } }).storageProblem).toBe(
      null,
    );
  });

  test("a channel is moved, made and removed, and its model's others stay", () => {
    const at = "2026-11-01T12:00:00.000Z";
    const stable = { name: "stable", version: 6, releasedAt: "2026-11-01T09:00:00.000Z" };
    const model = { name: "digits", channels: [stable] } as unknown as ModelView;
    const change = (name: string, version: number | null, when = at): ServerEvent => ({
      type: "channel",
      id: 1,
      data: { model: "digits", name, version, at: when },
    });
    const made = applyToModels(applyToModels([model], change("beta", 7)), change("alpha", 8));
    expect(made[0]!.channels).toEqual([
      stable,
      { name: "alpha", version: 8, releasedAt: at },
      { name: "beta", version: 7, releasedAt: at },
    ]);
    expect(applyToModels(made, change("beta", 5, "2026-11-01T11:00:00.000Z"))).toEqual(made);
    expect(applyToModels(made, change("beta", 9))[0]!.channels.at(-1)).toMatchObject({ version: 9 });
    const removed = applyToModels(made, change("alpha", null));
    expect(removed[0]!.channels.map(({ name }) => name)).toEqual(["stable", "beta"]);
    const other = { ...change("beta", 1), data: { model: "cats", name: "beta", version: 1, at } } as const;
    expect(applyToModels(made, other as ServerEvent)).toEqual(made);
  });

  test("an alias is moved, given and removed", () => {
    const at = "2026-11-01T12:00:00.000Z";
    const model = {
      name: "digits",
      aliases: [{ name: "champion", version: 6, movedAt: "" }],
    } as unknown as ModelView;
    const change = (name: string, version: number | null): ServerEvent => ({
      type: "alias",
      id: 1,
      data: { model: "digits", name, version, at },
    });
    const given = applyToModels(applyToModels([model], change("approved", 5)), change("champion", 4));
    expect(given[0]!.aliases).toEqual([
      { name: "approved", version: 5, movedAt: at },
      { name: "champion", version: 4, movedAt: at },
    ]);
    expect(applyToModels(given, change("approved", null))[0]!.aliases).toHaveLength(1);
    expect(applyToTasks([aTask()], change("approved", 5))).toEqual([aTask()]);
  });

  test("a task that was not known is added; device counts go into the status", () => {
    expect(applyToTasks([], { type: "task", id: 1, data: aTask() })).toEqual([aTask()]);
    const status = aStatus();
    const event: ServerEvent = { type: "devices", id: null, data: { connected: 24, training: 3 } };
    expect(applyToStatus(status, event).devices).toEqual({ connected: 24, training: 3 });
  });
});

describe("a list that is read while events arrive", () => {
  test("holds what came meanwhile, whichever of the two was newer", async () => {
    const log = createEventLog();
    log.append([roundEvent({ ready: 1 })]); // before: the answer holds it
    const read = async () => {
      const answer = [aRound({ ready: 2 })];
      log.append([roundEvent({ ready: 3 }, 3), roundEvent({ number: 8, id: "digits-8" }, 4)]);
      return answer;
    };
    const rounds = await readWithEvents(log, read, (list, event) => [
      ...applyToRounds("digits", list, event),
    ]);
    expect(rounds.map(({ number, ready }) => [number, ready])).toEqual([
      [8, 0],
      [7, 3],
    ]);
  });

  test("is read again when more came than is remembered", async () => {
    const log = createEventLog(4);
    let reads = 0;
    const read = async () => {
      reads += 1;
      if (reads === 1) log.append(Array.from({ length: 5 }, () => roundEvent({})));
      return reads;
    };
    expect(await readWithEvents(log, read, (data) => data)).toBe(2);
  });
});
