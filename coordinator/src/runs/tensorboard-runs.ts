import { mkdir, open, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import {
  eventFileHead,
  eventRecord,
  readEventFile,
  runBegan,
  type HistogramCounts,
} from "@tributary/metrics/tensorboard";
import type { MeasurementView, TaskView } from "@tributary/api-client";
import { roundCurves, roundTime, runParameters } from "./round-curves.ts";
import { settledRounds, type RunSource } from "./run-source.ts";

/** So many measurements have their histograms written when a task's past is. */
const MEASUREMENTS = 500;
/** Records that are written at once. */
const BATCH = 200;

export interface TensorboardRuns {
  /** Writes what its file does not hold yet. @returns how many rounds that was */
  write(task: string): Promise<number>;
}

/** One folder a task, with one event file; where the file is there already, it goes on from its last whole record. */
export function tensorboardRuns(folder: string, source: RunSource): TensorboardRuns {
  /** Last step of each file, once it is known. */
  const written = new Map<string, number>();
  return {
    async write(name) {
      const task = await source.task(name);
      if (task === undefined) return 0;
      const path = join(folder, name, fileName(task));
      const last = written.get(name) ?? (await openFile(path, join(folder, name), task));
      written.set(name, last);
      let rounds = 0;
      let batch: Uint8Array[] = [];
      let step = last;
      const flush = async (): Promise<void> => {
        await append(path, batch);
        written.set(name, step);
        batch = [];
      };
      const histograms = await histogramsAfter(source, name, last);
      for await (const round of settledRounds(source, name, last)) {
        const wallTime = roundTime(round) / 1_000;
        const counts = histograms.get(round.id);
        batch.push(
          eventRecord({
            wallTime,
            step: round.number,
            values: roundCurves(round),
            ...(counts === undefined ? {} : { histograms: counts }),
          }),
        );
        step = round.number;
        rounds += 1;
        if (batch.length >= BATCH) await flush();
      }
      if (batch.length > 0) await flush();
      return rounds;
    },
  };
}

/** TensorBoard reads files of this name; the time is the task's own, so that it is the same file after a restart. */
function fileName({ createdAt }: TaskView): string {
  const seconds = Math.floor(Date.parse(createdAt) / 1_000);
  return `events.out.tfevents.${String(seconds).padStart(10, "0")}.tributary`;
}

/** Begins a file, or cuts off what was not written whole. @returns its last step */
async function openFile(path: string, folder: string, { createdAt, spec }: TaskView): Promise<number> {
  await mkdir(folder, { recursive: true });
  const bytes = await readFile(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  const { step, sizeBytes } = readEventFile(bytes ?? new Uint8Array());
  if (sizeBytes > 0) {
    if (sizeBytes < bytes!.length) await truncate(path, sizeBytes);
    return step ?? 0;
  }
  if (bytes !== undefined) await truncate(path, 0);
  const startedAt = Date.parse(createdAt) / 1_000;
  await append(path, [eventFileHead(startedAt), runBegan(startedAt, runParameters(spec))]);
  return 0;
}

async function append(path: string, records: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, "a");
  try {
    await file.writeFile(Buffer.concat(records));
  } finally {
    await file.close();
  }
}

/** Of rounds that measured, by round. */
async function histogramsAfter(
  source: RunSource,
  task: string,
  after: number,
): Promise<ReadonlyMap<string, Readonly<Record<string, HistogramCounts>>>> {
  const [newest] = await source.rounds(task, { limit: 1 });
  const limit = Math.min(MEASUREMENTS, (newest?.number ?? 0) - after);
  if (limit < 1) return new Map();
  const measurements = await source.measurements(task, { limit });
  return new Map(measurements.map(({ roundId, histograms }) => [roundId, named(histograms)]));
}

function named(histograms: MeasurementView["histograms"]): Record<string, HistogramCounts> {
  return Object.fromEntries(
    Object.entries(histograms).map(([name, counts]) => [`measured/${name.replaceAll(".", "/")}`, counts]),
  );
}
