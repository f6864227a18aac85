import { readFileSync } from "node:fs";
import { buildFedAvgCnn } from "@tributary/onnx";
import { startCoordinator, temporaryFolder } from "../src/coordinator-process.ts";
import { createScriptedRound } from "../src/scripted-round.ts";
const hwm = (pid: number) =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
const concurrent = process.argv[2] === "c";
for (const n of [10, 100]) {
  const dir = temporaryFolder();
  const c = await startCoordinator({ dataDir: dir.path });
  const start = hwm(c.pid);
  const t0 = performance.now();
  const round = await createScriptedRound(c, {
    model: buildFedAvgCnn({ seed: 1 }),
    devices: n,
    cohort: { trainDeadlineMs: 120000, reportDeadlineMs: 120000 },
  });
  const before = hwm(c.pid);
  const t1 = performance.now();
  if (!concurrent) await round.uploadAll(() => ({ numExamples: 10, fill: 0.001 }));
  else {
    const b = round.body({ numExamples: 10, fill: 0.001 });
    for (const d of round.devices) await round.ready(d, b, 10);
    const r = await Promise.all(
      round.devices.map(async (d) => {
        await d.next("request-report", 60000);
        return d.upload(round.roundId, b);
      }),
    );
    if (r.some((x) => x.status !== 202)) console.log(r.filter((x) => x.status !== 202));
  }
  const up = hwm(c.pid);
  const view = await round.committed();
  console.log(n, {
    start,
    before,
    up,
    end: hwm(c.pid),
    setup: t1 - t0,
    ms: performance.now() - t1,
    reported: view.reported,
  });
  round.close();
  await c.stop();
  dir.remove();
}
process.exit(0);
