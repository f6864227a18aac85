/** Cuts the batches of a plan so that no run holds up who uses the device. */
import type { BatchCut, TrainingPace } from "@tributary/engine/training";
import { toFailure, type Clock, type Logger } from "@tributary/core";
import type { GraphPort, Plan, TrainingGraphDocument } from "@tributary/protocol";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import type { SettingStore } from "../store/device-store.ts";
import type { Releases } from "../updater/releases.ts";
import { TARGET_MS } from "./courtesy.ts";
import { nextSize, type MeasuredRuns } from "./micro-batch-size.ts";
import type { BatchDiagnosis } from "./training-diagnosis.ts";

export interface MicroBatchesOptions {
  readonly engines: Pick<EngineProvider, "openPart">;
  readonly releases: Pick<Releases, "fetchTarget" | "target">;
  readonly settings: SettingStore;
  readonly pace: TrainingPace;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Logger;
  /** Whether there is a page whose frames a long run would hold up. */
  readonly hasPage: boolean;
}

/** What may be cut of a plan. */
export interface CutPlan {
  /** For who is told. */
  readonly task: string;
  readonly local: Pick<Plan["local"], "batchSize">;
  readonly training: Pick<Plan["training"], "target" | "micro" | "whole">;
}

export interface OpenCut {
  /** Undefined: batches are taken whole. */
  readonly cut: BatchCut | undefined;
  /** Lets the sessions of parts go, and keeps the size for the next training. */
  close(): Promise<void>;
}

export interface MicroBatches {
  open(plan: CutPlan, lease: Pick<SessionLease, "engine">, signal: AbortSignal): Promise<OpenCut>;
  diagnose(): BatchDiagnosis | undefined;
}

/** Of one size, so that a device that grows slower or faster is followed. */
const KEPT_RUNS = 16;

export function createMicroBatches(options: MicroBatchesOptions): MicroBatches {
  let last: (() => BatchDiagnosis) | undefined;
  return {
    diagnose: () => last?.(),
    async open(plan, lease, signal) {
      const whole = wholeReason(plan, lease, options.hasPage);
      if (whole !== undefined) {
        const { task, local } = plan;
        last = () => ({ task, batchSize: local.batchSize, microBatchSize: local.batchSize, whole, runs: {} });
        return { cut: undefined, async close() {} };
      }
      const opened = await openCut(options, plan, signal);
      last = opened.diagnose;
      return opened;
    },
  };
}

function wholeReason(
  { training: { micro, whole } }: CutPlan,
  { engine }: Pick<SessionLease, "engine">,
  hasPage: boolean,
): BatchDiagnosis["whole"] {
  if (!hasPage) return "no-page";
  if (engine === "ort-webgpu") return "webgpu";
  return micro === undefined ? (whole ?? "not-published") : undefined;
}

async function openCut(
  options: MicroBatchesOptions,
  plan: CutPlan,
  signal: AbortSignal,
): Promise<OpenCut & { readonly diagnose: () => BatchDiagnosis }> {
  const { engines, releases, settings, pace, clock, log } = options;
  const { micro } = plan.training;
  const { spec, parts, step } = micro!;
  const { batchSize } = plan.local;
  const sizes = [...parts.map((part) => part.batchSize), batchSize].toSorted((a, b) => a - b);
  const { sha256: whole } = await releases.target(plan.training.target, signal);
  const setting = `micro-batch:${whole}`;
  const remembered = await settings.read(setting).catch(() => undefined);
  let size = sizes.find((each) => each === remembered) ?? sizes[0]!;
  const started = size;
  const durations = new Map<number, { count: number; ms: number[] }>();
  const leases = new Map<string, SessionLease>();
  const open = async (target: string, opening: AbortSignal | undefined): Promise<SessionLease> => {
    const known = leases.get(target);
    if (known !== undefined) return known;
    const { sha256: key } = await releases.target(target, opening);
    const lease = await engines.openPart({
      key,
      model: () => releases.fetchTarget(target, { signal: opening }),
      ...(opening === undefined ? {} : { signal: opening }),
    });
    leases.set(target, lease);
    return lease;
  };
  const of = (examples: number): MeasuredRuns | undefined => {
    const known = durations.get(examples);
    if (known === undefined) return undefined;
    const sorted = known.ms.toSorted((a, b) => a - b);
    return { count: known.count, medianMs: sorted[Math.floor(sorted.length / 2)]! };
  };
  const stepLease = await open(step.target, signal);
  const cut: BatchCut = {
    step: { session: stepLease.session, spec: step.spec },
    async part(opening) {
      const before = size;
      size = nextSize(sizes, size, of, TARGET_MS);
      for (;;) {
        const part = parts.find((each) => each.batchSize === size);
        if (part === undefined) return undefined;
        try {
          const { session } = await open(part.target, opening);
          return { session, spec: specOf(spec, size) };
        } catch (error) {
          opening?.throwIfAborted();
          if (size === before) throw error;
          log.warn("a graph for micro-batches cannot be opened; they stay as they are", {
            size,
            error: toFailure(error),
          });
          sizes.splice(sizes.indexOf(size), 1);
          size = before;
        }
      }
    },
    run: (examples, work, waiting) =>
      pace.run(
        examples / batchSize,
        async () => {
          const startedAtMs = clock.monotonicMs();
          const result = await work();
          // A part that was filled up took as long as a full one.
          const taken = examples === 0 ? 0 : size;
          const known = durations.get(taken) ?? { count: 0, ms: [] };
          durations.set(taken, known);
          known.count += 1;
          if (known.ms.length === KEPT_RUNS) known.ms.shift();
          known.ms.push(clock.monotonicMs() - startedAtMs);
          return result;
        },
        waiting,
      ),
  };
  return {
    cut,
    diagnose: () => ({
      task: plan.task,
      batchSize,
      microBatchSize: size,
      ...(size === batchSize ? { whole: "measured-short" as const } : {}),
      runs: Object.fromEntries([...durations.keys()].map((examples) => [examples, of(examples)!])),
    }),
    async close() {
      for (const lease of leases.values()) await lease.release({ keep: false });
      if (size === started && remembered !== undefined) return;
      await settings.write(setting, size).catch((error: unknown) => {
        log.warn("the size of micro-batches is not kept", { error: toFailure(error) });
      });
    },
  };
}

/** The parts' spec is that of one example: others differ in the first axis of what is fed of examples. */
function specOf(single: TrainingGraphDocument, batchSize: number): TrainingGraphDocument {
  const port = (value: GraphPort): GraphPort => ({ ...value, shape: [batchSize, ...value.shape.slice(1)] });
  const { inputs, moreLabels, dropouts } = single;
  return {
    ...single,
    batchSize,
    features: port(single.features),
    labels: port(single.labels),
    sampleWeights: port(single.sampleWeights),
    ...(inputs === undefined ? {} : { inputs: inputs.map(port) }),
    ...(moreLabels === undefined ? {} : { moreLabels: moreLabels.map(port) }),
    ...(dropouts === undefined
      ? {}
      : { dropouts: dropouts.map((mask) => ({ ...mask, shape: [batchSize, ...mask.shape.slice(1)] })) }),
  };
}
