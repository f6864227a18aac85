import { buildLinear } from "@tributary/onnx";
import { expect, test } from "vitest";
import { startCoordinator, temporaryFolder } from "../src/coordinator-process.ts";
import { createScriptedRound } from "../src/scripted-round.ts";

test("A: one of three cohort members vanishes after it was selected; the round ends by its deadline with the others", async () => {
  const folder = temporaryFolder();
  const coordinator = await startCoordinator({ dataDir: folder.path });
  try {
    const reportDeadlineMs = 2_000;
    const round = await createScriptedRound(coordinator, {
      model: buildLinear({ seed: "vanish" }),
      devices: 3,
      cohort: { minimumCount: 2, reportDeadlineMs },
    });
    const bodies = round.devices.map((_, index) => round.body({ numExamples: 10, fill: 0.01 * (index + 1) }));
    for (const [index, device] of round.devices.entries()) await round.ready(device, bodies[index]!, 10);
    await Promise.all(round.devices.map((device) => device.next("request-report")));
    const selectedAt = performance.now();
    round.devices[0]!.vanish();
    for (const index of [1, 2])
      expect((await round.devices[index]!.upload(round.roundId, bodies[index]!)).status).toBe(202);
    const view = await round.committed();
    expect(performance.now() - selectedAt).toBeLessThan(reportDeadlineMs + 2_000);
    expect(view).toMatchObject({ cohort: 3, reported: 2, dropouts: 1, version: 2 });
    // (0.02 * 10 + 0.03 * 10) / 20
    const { values } = await round.weights(2);
    expect(values[0]! - round.base.values[0]!).toBeCloseTo(0.025, 6);
    round.close();
  } finally {
    await coordinator.stop();
    folder.remove();
  }
});
