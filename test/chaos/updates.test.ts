import { asRoundId, sha256 } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCoordinator, temporaryFolder, type CoordinatorProcess } from "../src/coordinator-process.ts";
import { createScriptedRound, type ScriptedRound } from "../src/scripted-round.ts";

/** Three members; one of them misbehaves; the other two are enough. */
describe("hostile updates against a real coordinator process", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let coordinator: CoordinatorProcess;
  let round: ScriptedRound;

  beforeAll(async () => {
    folder = temporaryFolder();
    coordinator = await startCoordinator({ dataDir: folder.path });
    round = await createScriptedRound(coordinator, {
      model: buildLinear({ seed: "hostile" }),
      devices: 3,
      cohort: { minimumCount: 2, reportDeadlineMs: 20_000 },
      maxUpdateNorm: 50,
    });
  });
  afterAll(async () => {
    round?.close();
    await coordinator?.stop();
    folder.remove();
  });

  test("what is wrong is refused with its code, and only the sender is concerned", async () => {
    const [hostile, first, second] = round.devices;
    const good = (index: number): Uint8Array<ArrayBuffer> =>
      round.body({ numExamples: 10, fill: 0.001 * index });
    const count = round.base.values.length;

    // B and C: one attempt after the other by the same member, each with an honest `ready` for what it sends.
    const nan = new Float32Array(count).fill(0.01);
    nan[count - 1] = Number.NaN;
    const bad = round.body({ numExamples: 10, values: nan });
    await round.ready(hostile!, bad, 10);
    await round.ready(first!, good(1), 10);
    await round.ready(second!, good(2), 10);
    await hostile!.next("request-report");

    const withoutInvitation = await hostile!.upload(asRoundId("no-such-round"), bad);
    expect(withoutInvitation.status).toBeGreaterThanOrEqual(400);

    const wrongDigest = await hostile!.upload(round.roundId, bad, { digest: sha256(good(1)) });
    expect(wrongDigest.code).toMatch(/^update\//);

    const truncated = await hostile!.upload(round.roundId, bad.slice(0, bad.length - 5), {
      digest: sha256(bad),
    });
    expect(truncated.code).toMatch(/^update\//);
    const lying = await hostile!.upload(round.roundId, bad.slice(0, bad.length - 5), {
      digest: sha256(bad),
      sizeBytes: bad.length,
    });
    expect(lying.code).toBe("identity/invalid-proof");

    const notFinite = await hostile!.upload(round.roundId, bad);
    expect(notFinite).toMatchObject({ status: 422, code: "update/not-finite" });

    for (const [index, device] of [first!, second!].entries()) {
      expect((await device.upload(round.roundId, good(index + 1))).status).toBe(202);
    }
    const view = await round.committed();
    expect(view).toMatchObject({ phase: "committed", reported: 2, refused: 1, version: 2 });
    const weights = await round.weights(2);
    expect(weights.values.every(Number.isFinite)).toBe(true);
  });
});

describe.each([
  [
    "Infinity",
    "update/not-finite",
    (count: number) => new Float32Array(count).fill(0.01).with(0, Number.POSITIVE_INFINITY),
  ],
  ["an absurd norm", "update/norm-too-large", (count: number) => new Float32Array(count).fill(1e6)],
  ["one value too few", "update/wrong-shape", (count: number) => new Float32Array(count - 1).fill(0.01)],
  ["one value too many", "update/wrong-shape", (count: number) => new Float32Array(count + 1).fill(0.01)],
] as const)("an update with %s", (_name, code, make) => {
  test(`is refused with ${code}, and the round commits without it`, async () => {
    const folder = temporaryFolder();
    const coordinator = await startCoordinator({ dataDir: folder.path });
    try {
      const round = await createScriptedRound(coordinator, {
        model: buildLinear({ seed: "hostile" }),
        devices: 3,
        cohort: { minimumCount: 2 },
        maxUpdateNorm: 50,
      });
      const bodies = round.devices.map((_, index) =>
        index === 0
          ? round.body({ numExamples: 10, values: make(round.base.values.length) })
          : round.body({ numExamples: 10, fill: 0.01 }),
      );
      for (const [index, device] of round.devices.entries()) await round.ready(device, bodies[index]!, 10);
      const answers = [];
      for (const [index, device] of round.devices.entries()) {
        await device.next("request-report");
        answers.push(await device.upload(round.roundId, bodies[index]!));
      }
      expect(answers[0]!.code).toBe(code);
      expect(answers.slice(1).map(({ status }) => status)).toEqual([202, 202]);
      expect(await round.committed()).toMatchObject({ reported: 2, refused: 1, version: 2 });
      const { values } = await round.weights(2);
      expect(values[0]).toBe(Math.fround(round.base.values[0]! + Math.fround(0.01)));
      expect((await fetch(`${coordinator.url}/healthz`)).status).toBe(200);
      round.close();
    } finally {
      await coordinator.stop();
      folder.remove();
    }
  });
});
