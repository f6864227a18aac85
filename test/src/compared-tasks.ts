import { join } from "node:path";
import { asModelName, asModelVersion, asRoundId, asTaskName, sha256 } from "@tributary/core";
import { classBins, CONFIDENCE_BINS } from "@tributary/metrics";
import type { MetricDocument } from "@tributary/protocol";
import { openSqlMetadataStore } from "../../coordinator/src/adapters/sql/sql-metadata-store.ts";
import type { MetadataRepositories } from "../../coordinator/src/ports/metadata-store.ts";
import type { MeasurementRecord } from "../../coordinator/src/ports/task-records.ts";
import { exampleLineage, exampleRound, exampleVersion } from "../../coordinator/src/testing/index.ts";

const MODEL = asModelName("digits");
const ROUNDS = 30;
/** A task has begun one round before it was paused. */
const BEGUN = 1;
const START = Date.UTC(2026, 10, 1);

export interface PastTasks {
  readonly plain: string;
  readonly adam: string;
  readonly watch: string;
}

/**
 * Gives two tasks of a coordinator that does not run a past of rounds and versions, and a third measurements that drift.
 *
 * @param tasks that exist, on the model digits with one version
 */
export async function writePast(dataDir: string, tasks: PastTasks): Promise<void> {
  const store = await openSqlMetadataStore({ path: join(dataDir, "tributary.db") });
  // In one transaction: the disk is waited for once.
  await store.transaction((tx) => write(tx, tasks));
  await store.close();
}

async function write(store: MetadataRepositories, tasks: PastTasks): Promise<void> {
  let version = 1;
  const past = [
    [tasks.plain, 0.12, 0.93],
    [tasks.adam, 0.2, 0.965],
  ] as const;
  for (const [name, pace, best] of past) {
    for (let number = 1; number <= ROUNDS; number += 1) {
      const id = asRoundId(`${name}-${BEGUN + number}`);
      const abandoned = number % 11 === 7;
      const accuracy = best * (1 - Math.exp(-pace * number)) - (number % 3) * 0.004;
      const startedAt = START + version * 90_000;
      await store.rounds.insert(
        exampleRound(BEGUN + number, {
          id,
          task: asTaskName(name),
          model: MODEL,
          phase: abandoned ? "abandoned" : "committed",
          reason: abandoned ? "round/too-few-ready" : null,
          version: abandoned ? null : asModelVersion(version + 1),
          baseVersion: asModelVersion(version),
          startedAt,
          endedAt: startedAt + 40_000 + (number % 5) * 4_000,
          seconds: 40 + (number % 5) * 4,
          cohort: 22 + (number % 4),
          reported: 22,
          dropouts: number % 3,
          numExamples: 440,
          loss: abandoned ? null : 2.2 * Math.exp((-pace * number) / 1.4) + 0.1,
          accuracy: abandoned ? null : accuracy,
          trainLoss: 2 * Math.exp((-pace * number) / 1.3) + 0.08,
          trainAccuracy: accuracy + 0.01,
          secure: {
            step: "unmask",
            cohort: 22 + (number % 4),
            threshold: 17,
            survivors: 21 + (number % 4),
            lost: { advertise: 0, share: 0, mask: number % 3, sign: 0, unmask: 0 },
            private: true,
            unmasked: 1,
          },
        }),
      );
      if (abandoned) continue;
      version += 1;
      const task = await store.tasks.get(asTaskName(name));
      await store.versions.insert(
        exampleVersion(version, {
          roundId: id,
          createdAt: startedAt + 45_000,
          releasedAt: null,
          loss: 2.2 * Math.exp((-pace * number) / 1.4) + 0.1,
          accuracy,
          cohort: 22,
          numExamples: 440,
          metrics: {},
          strategy: { name: task!.spec.strategy.name, parameters: task!.spec.strategy.parameters },
          lineage: {
            ...exampleLineage(version),
            evaluation: { dataset: sha256(new Uint8Array([1])), examples: 2_000 },
            intervals: {
              accuracy: { lower: accuracy - 0.013, upper: Math.min(1, accuracy + 0.012), confidence: 0.95 },
            },
          },
        }),
      );
    }
  }
  for (let number = 1; number <= 24; number += 1) {
    const id = asRoundId(`${tasks.watch}-${BEGUN + number}`);
    await store.rounds.insert(
      exampleRound(BEGUN + number, {
        id,
        task: asTaskName(tasks.watch),
        model: MODEL,
        purpose: "telemetry",
        phase: "committed",
        baseVersion: asModelVersion(1 + Math.floor(number / 6)),
        startedAt: START + number * 3_600_000,
        endedAt: START + number * 3_600_000 + 9_000,
        reported: 30,
        secure: {
          step: "unmask",
          cohort: 32,
          threshold: 17,
          survivors: 30,
          lost: { advertise: 0, share: 0, mask: 2, sign: 0, unmask: 0 },
          private: true,
          unmasked: 1,
        },
      }),
    );
    await store.measurements.insert(measured(id, tasks.watch, number));
  }
}

/** Ones come to be written ever more, and answers to be less sure. */
function measured(roundId: MeasurementRecord["roundId"], task: string, number: number): MeasurementRecord {
  const shift = Math.max(0, number - 12) / 30;
  const predictions = Array.from({ length: 10 }, (_, i) =>
    Math.round(100 * (1 + (i === 1 ? 8 * shift : -shift / 2)) + ((number * 7 + i * 13) % 9)),
  );
  const confidence = CONFIDENCE_BINS.edges.map(
    (edge, i) => Math.round(40 * Math.exp(-((edge - 0.9 + shift / 2) ** 2) * 30)) + ((number + i) % 3),
  );
  return {
    roundId,
    task: asTaskName(task),
    model: MODEL,
    purpose: "telemetry",
    version: asModelVersion(1 + Math.floor(number / 6)),
    candidate: null,
    devices: 30,
    metrics: [
      { name: "runs", kind: "counter", values: "integer", minimum: 0, maximum: 1_000 },
      {
        name: "predictions",
        kind: "histogram",
        values: "integer",
        minimum: 0,
        maximum: 1_000,
        ...classBins(10),
      },
      {
        name: "confidence",
        kind: "histogram",
        values: "integer",
        minimum: 0,
        maximum: 1_000,
        ...CONFIDENCE_BINS,
      },
    ] as unknown as readonly MetricDocument[],
    sums: [1_000, 0, ...predictions, 0, ...confidence, 0],
    confidence: 0.95,
    at: START + number * 3_600_000 + 9_000,
  };
}
