import { asRoundId, encodeUtf8, sha256 } from "@tributary/core";
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

type MakeBody = (round: ScriptedRound) => Uint8Array<ArrayBuffer>;

const of =
  (make: (count: number) => Float32Array): MakeBody =>
  (round) =>
    round.body({ numExamples: 10, values: make(round.base.values.length) });

/** A good body whose values take other than four bytes each; its header is right, and its digest honest. */
const withValuesOf =
  (bytesEach: number): MakeBody =>
  (round) => {
    const good = round.body({ numExamples: 10, fill: 0.01 });
    const valuesAt = good.length - 4 * round.base.values.length;
    const body = new Uint8Array(valuesAt + bytesEach * round.base.values.length);
    body.set(good.subarray(0, valuesAt));
    return body;
  };

const CASES: readonly (readonly [string, string, MakeBody])[] = [
  ["Infinity", "update/not-finite", of((n) => new Float32Array(n).fill(0.01).with(0, Infinity))],
  ["an absurd norm", "update/norm-too-large", of((n) => new Float32Array(n).fill(1e6))],
  ["one value too few", "update/wrong-shape", of((n) => new Float32Array(n - 1).fill(0.01))],
  ["one value too many", "update/wrong-shape", of((n) => new Float32Array(n + 1).fill(0.01))],
  ["values of two bytes, as float16", "update/wrong-shape", withValuesOf(2)],
  ["values of eight bytes, as float64", "update/too-large", withValuesOf(8)],
  [
    "parameters of another model, as many",
    "update/wrong-shape",
    (round) => round.body({ numExamples: 10, fill: 0.01, schemaDigest: sha256(encodeUtf8("another model")) }),
  ],
];

describe("one bad update of three", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let coordinator: CoordinatorProcess;
  beforeAll(async () => {
    folder = temporaryFolder();
    coordinator = await startCoordinator({ dataDir: folder.path });
  });
  afterAll(async () => {
    await coordinator?.stop();
    folder.remove();
  });

  test.each(CASES)(
    "with %s is refused with %s, and the round commits without it",
    async (what, code, make) => {
      const round = await createScriptedRound(coordinator, {
        name: what.replaceAll(/[^a-z0-9]+/giu, "-").toLowerCase(),
        model: buildLinear({ seed: "hostile" }),
        devices: 3,
        cohort: { minimumCount: 2 },
        maxUpdateNorm: 50,
      });
      const good = round.body({ numExamples: 10, fill: 0.01 });
      const bodies = round.devices.map((_device, index) => (index === 0 ? make(round) : good));
      for (const [index, device] of round.devices.entries()) await round.ready(device, bodies[index]!, 10);
      const answers = [];
      for (const [index, device] of round.devices.entries()) {
        await device.next("request-report");
        answers.push(await device.upload(round.roundId, bodies[index]!));
      }
      expect(answers[0]!.code).toBe(code);
      expect(answers.slice(1).map(({ status }) => status)).toEqual([202, 202]);
      expect(await round.committed()).toMatchObject({ reported: 2, refused: 1, version: 2 });
      // The sender is noted, where operators can read it.
      const { deviceId } = round.devices[0]!.identity;
      expect((await round.api.refusals(round.roundId)).refusals).toEqual([
        expect.objectContaining({ device: deviceId, code }),
      ]);
      const { values } = await round.weights(2);
      expect(values[0]).toBe(Math.fround(round.base.values[0]! + Math.fround(0.01)));
      expect((await fetch(`${coordinator.url}/healthz`)).status).toBe(200);
      round.close();
    },
  );
});
