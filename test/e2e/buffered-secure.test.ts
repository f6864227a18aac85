import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import type { ParticipationEvent } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { giveDigits } from "../src/secure-device.ts";

const POPULATION = "default" as never;
const DEVICES = 6;
let opened = new AsyncDisposableStack();
beforeEach(() => void (opened = new AsyncDisposableStack()));
afterEach(() => opened.disposeAsync());

test("six Node devices train all the time: masked cohorts on one version each fill the buffer, and make versions together", async () => {
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const coordinator = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    logLevel: "silent",
  });
  opened.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.createTask({
    name: "digits",
    model: "digits",
    rounds: 2,
    mode: { type: "buffered", bufferSize: 6, maxStaleness: 2 },
    strategy: { name: "fedBuff", parameters: { learningRate: 1 } },
    local: { epochs: 1, batchSize: 10, learningRate: 0.05, maxExamples: 60 },
    cohort: { goalCount: 3, minimumCount: 3, trainDeadlineMs: 8_000 },
    secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 4_000 },
  } as never);
  const events: ParticipationEvent[] = [];
  await Promise.all(
    Array.from({ length: DEVICES }, async (_, i) => {
      const runtime = await createRuntime({
        coordinator: coordinator.url,
        trust: { root: coordinator.tufRoot, minimumCohort: 3 },
        token: () => coordinator.mintEnrolmentToken(POPULATION),
        dataDir: join(folder.path, `device-${i}`),
      });
      opened.defer(() => runtime.close());
      await giveDigits(runtime, i);
      const participation = runtime.participate({ consent: true, task: "digits" });
      void (async () => {
        for await (const event of participation.events()) events.push(event);
      })();
    }),
  );
  await vi.waitFor(
    async () => expect((await api.tasks())[0]).toMatchObject({ state: "finished", currentVersion: 3 }),
    { timeout: 60_000, interval: 50 },
  );
  const buffer = (await api.buffer("digits"))!;
  const made = buffer.cohorts.filter(({ version }) => version !== null);
  for (const version of [2, 3]) {
    const together = made.filter((cohort) => cohort.version === version);
    expect(together.reduce((sum, { updates }) => sum + updates, 0)).toBeGreaterThanOrEqual(6);
    for (const { staleness, baseVersion } of together) expect(baseVersion + staleness).toBe(version - 1);
  }
  const { rounds } = await api.rounds("digits");
  for (const { roundId } of made) {
    expect(rounds.find(({ id }) => id === roundId)).toMatchObject({
      phase: "committed",
      secure: { survivors: expect.any(Number), unmasked: 1 },
    });
  }
  // Nobody uploaded an update of its own, and every member heard that its sum waits.
  const uploads = events.filter((event) => event.type === "uploaded");
  expect(uploads.length).toBeGreaterThanOrEqual(12);
  expect(uploads.every((event) => event.masked)).toBe(true);
  const outcomes = events.flatMap((event) => (event.type === "outcome" ? [event.result] : []));
  expect(outcomes.filter((result) => result === "buffered").length).toBeGreaterThanOrEqual(12);
  expect(outcomes).not.toContain("abandoned");
}, 90_000);
