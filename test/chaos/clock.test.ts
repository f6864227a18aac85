import { join } from "node:path";
import { buildLinear } from "@tributary/onnx";
import type { RoundId } from "@tributary/core";
import { expect, test } from "vitest";
import { startCoordinator, temporaryFolder } from "../src/coordinator-process.ts";
import { createScriptedRound } from "../src/scripted-round.ts";
import { ScriptedDevice } from "../src/scripted-device.ts";
import { CLOCKS, settableClock } from "../src/settable-clock.ts";

const HOUR = 3_600_000;
const DEADLINES = { trainDeadlineMs: 60_000, reportDeadlineMs: 30_000 };

// What its C library tells, where that can be set, in the long run.
test.each(process.env.TRIBUTARY_TEST_FULL === "1" ? CLOCKS : CLOCKS.slice(0, 1))(
  "a coordinator whose clock is set an hour forward and back (%s), and that is killed then, ends its rounds as if nothing had been",
  async (kind) => {
    const folder = temporaryFolder();
    const clock = settableClock(kind, folder.path);
    const dataDir = join(folder.path, "coordinator");
    let coordinator = await startCoordinator({ dataDir, ...clock.start });
    try {
      const round = await createScriptedRound(coordinator, {
        model: buildLinear({ seed: "clock" }),
        devices: 3,
        rounds: 2,
        cohort: DEADLINES,
      });
      const { api, roundId, devices } = round;
      const near = (time: string | number | null, aheadMs: number): void =>
        expect(Math.abs(new Date(time!).getTime() - Date.now() - aheadMs)).toBeLessThan(60_000);
      const body = (index: number, of: RoundId) =>
        round.body({ numExamples: 10, fill: 0.01 * (index + 1), roundId: of });
      const upload = async (device: ScriptedDevice, index: number, of: RoundId): Promise<void> => {
        const { status } = await device.upload(of, body(index, of));
        expect(status).toBe(202);
      };

      clock.set(HOUR);
      for (const [i, device] of devices.entries()) await round.ready(device, body(i, roundId), 10);
      // Devices hear the time that deadlines are kept by; people read the clock on the wall.
      for (const device of devices) near((await device.next("request-report")).deadlineMs, 0);
      await upload(devices[0]!, 0, roundId);
      clock.set(-HOUR);
      for (const i of [1, 2]) await upload(devices[i]!, i, roundId);
      const first = await round.committed();
      expect(first).toMatchObject({ reported: 3, version: 2 });
      near(first.endedAt, -HOUR);
      expect(first.seconds).toBeLessThan(60);

      // The second round is under way when the process is killed, and the next one finds the clock an hour back.
      const offers = await Promise.all(devices.map((device) => device.next("offer")));
      const second = offers[0]!.roundId;
      for (const [i, device] of devices.entries()) await round.ready(device, body(i, second), 10);
      for (const device of devices) await device.next("request-report");
      await upload(devices[0]!, 0, second);
      await coordinator.kill();
      round.close();
      coordinator = await startCoordinator({
        dataDir,
        port: Number(new URL(coordinator.url).port),
        ...clock.start,
      });
      const back = await Promise.all(
        devices.map(({ identity }) => ScriptedDevice.connectPatiently(coordinator.url, identity)),
      );
      for (const device of back) device.send({ type: "check-in", task: round.task, examples: 100 });
      for (const i of [1, 2]) {
        // No longer than the rules say, by the clock that is now.
        near((await back[i]!.next("request-report")).deadlineMs, -HOUR);
        await upload(back[i]!, i, second);
      }
      await back[1]!.next("outcome");
      expect(await api.round(second)).toMatchObject({ phase: "committed", reported: 3, version: 3 });
      for (const device of back) device.close();
    } finally {
      await coordinator.stop();
      folder.remove();
    }
  },
);
