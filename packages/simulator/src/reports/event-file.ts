import { eventFile, type TensorboardEvent } from "@tributary/metrics/tensorboard";
import type { RoundRow } from "../simulate/round-row.ts";

/** The curves of a simulation, by round. */
export function roundEvents(startedAtMs: number, rows: readonly RoundRow[]): Uint8Array<ArrayBuffer> {
  const events = rows.map((row): TensorboardEvent => {
    const values: Record<string, number> = {};
    const put = (tag: string, value: number | null): void => {
      if (value !== null) values[tag] = value;
    };
    put("held-out/loss", row.loss);
    put("held-out/accuracy", row.accuracy);
    for (const [name, [first, ...others]] of Object.entries(row.metrics)) {
      if (first !== undefined && others.length === 0) put(`held-out/${name}`, first);
    }
    put("training/loss", row.trainLoss);
    put("training/accuracy", row.trainAccuracy);
    for (const name of ["offered", "ready", "reported", "dropouts", "refused"] as const) {
      put(`devices/${name}`, row[name]);
    }
    put("round/staleness", row.staleness);
    put("round/released", row.released);
    if (row.verdict !== null) {
      put("gate/passed", row.verdict.result === "passed" ? 1 : 0);
      for (const name of ["improvement", "lower", "upper"] as const) put(`gate/${name}`, row.verdict[name]);
    }
    put("round/committed", row.phase === "committed" ? 1 : 0);
    put("round/seconds", row.seconds);
    put("round/schedule-seconds", row.scheduleSeconds);
    put("round/selection-seconds", row.selectionSeconds);
    for (const [reason, devices] of Object.entries(row.ineligible)) put(`ineligible/${reason}`, devices);
    put("round/bytes-up", row.bytesUp);
    put("round/bytes-down", row.bytesDown);
    return { wallTime: startedAtMs / 1000 + row.clockSeconds, step: row.round, values };
  });
  return eventFile(startedAtMs / 1000, events);
}
