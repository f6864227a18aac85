import { failure } from "@tributary/core";
import { stalenessDiscount } from "@tributary/aggregation";
import {
  bufferedMode,
  TaskBuffer,
  TaskNameSchema,
  type BufferedCohortView,
  type BufferView,
  type LiveBaseView,
} from "@tributary/protocol";
import Type from "typebox";
import type { App } from "../../http/app.ts";
import type { MetadataStore } from "../../ports/metadata-store.ts";
import type { BufferedCohortRecord, RoundRecord } from "../../ports/round-records.ts";
import type { TaskRecord } from "../../ports/task-records.ts";
import { timestamp } from "../../registry/views.ts";

/** Cohorts shown. */
const LATEST = 100;

/** How full the buffer of a task is, what its devices train from, and which cohorts made which version. */
export function registerBufferRoute(app: App, { store }: { readonly store: MetadataStore }): void {
  app.get(
    "/v1/tasks/:task/buffer",
    {
      schema: {
        summary: "The buffer of a task in buffered mode; null where rounds are synchronous",
        tags: ["operator"],
        params: Type.Object({ task: TaskNameSchema }),
        response: { 200: TaskBuffer },
      },
    },
    async ({ params: { task: name } }) => {
      const task = await store.tasks.get(name);
      if (task === undefined) {
        throw failure("coordinator/unknown-task", `http: no task "${name}"`, { detail: { task: name } });
      }
      return { buffer: await bufferView(store, task) };
    },
  );
}

async function bufferView(store: MetadataStore, task: TaskRecord): Promise<BufferView | null> {
  const mode = bufferedMode(task.spec);
  const model = await store.models.get(task.model);
  if (mode === null || model === undefined) return null;
  const head = model.currentVersion;
  const cohorts = await store.bufferedCohorts.list(task.name, { limit: LATEST });
  const pending = await store.bufferedCohorts.pending(task.name);
  const open = (await store.rounds.open()).filter(
    (round) => round.task === task.name && round.purpose === "train",
  );
  const { bufferSize, maxStaleness } = mode;
  return {
    bufferSize,
    updates: pending.reduce((sum, { updates }) => sum + updates, 0),
    maxStaleness,
    head,
    liveBases: liveBases(open, head),
    cohorts: cohorts.map((cohort) => cohortView(cohort, head)),
    superseded: await store.rounds.countSuperseded(task.name),
  };
}

function cohortView(record: BufferedCohortRecord, head: number): BufferedCohortView {
  const { roundId, baseVersion, updates, numExamples, at, version } = record;
  const staleness = record.staleness ?? Math.max(0, head - baseVersion);
  const discount = stalenessDiscount(staleness);
  return { roundId, baseVersion, staleness, discount, updates, numExamples, at: timestamp(at), version };
}

function liveBases(open: readonly RoundRecord[], head: number): LiveBaseView[] {
  const byVersion = Map.groupBy(open, ({ baseVersion }) => baseVersion);
  return [...byVersion]
    .map(([version, rounds]) => {
      // A cohort that is formed counts by its members, one that is not by its offers.
      const formed = rounds.map((round) => (round.cohort > 0 ? round.cohort : round.offered));
      const ready = rounds.map((round) => (round.cohort > 0 ? round.cohort : round.ready));
      return {
        version,
        staleness: Math.max(0, head - version),
        cohorts: rounds.length,
        devices: sum(formed),
        ready: sum(ready),
      };
    })
    .toSorted((a, b) => b.version - a.version);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
