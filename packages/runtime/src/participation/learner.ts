/** All that takes part in rounds: loaded by the first `participate()`, so that a page that only runs models does not ship it. */
import type { ModelName } from "@tributary/core";
import type { Connection } from "../connection.ts";
import type { DeviceConfig, DevicePorts } from "../device.ts";
import type { DeviceEvents } from "../device-events.ts";
import type { Examples } from "../examples/examples.ts";
import { isTraining } from "../examples/training-prefix.ts";
import { createTelemetryRecorder, type TelemetryRecorder } from "../telemetry/recorder.ts";
import type { Releases } from "../updater/releases.ts";
import { createBaseWeights } from "./base-weights.ts";
import { createCheckpoints } from "./checkpoints.ts";
import type { SessionLease } from "../engine-provider.ts";
import { engineDiagnosis } from "../updater/engine-diagnosis.ts";
import { createCourtesy, type Courtesy } from "./courtesy.ts";
import { createKeptControls } from "./kept-controls.ts";
import { createLocalMeasurer } from "./local-measurer.ts";
import { createLocalTrainer } from "./local-trainer.ts";
import type { TrainingDiagnosis, TrainingEngine } from "./training-diagnosis.ts";
import { createLogView } from "./log-view.ts";
import { createMicroBatches } from "./micro-batches.ts";
import { createParticipations, type Participations } from "./participations.ts";
import { withPlans } from "./plans.ts";

export interface LearnerOptions {
  readonly config: DeviceConfig;
  readonly ports: DevicePorts;
  readonly events: DeviceEvents;
  readonly releases: Releases;
  readonly connection: Connection;
  readonly openModels: () => readonly ModelName[];
  readonly examples: Examples;
  /** Blobs that were needed are not needed any more. */
  readonly onLessNeeded: () => void;
}

export interface Learner {
  readonly participations: Participations;
  readonly recorder: TelemetryRecorder;
  readonly courtesy: Courtesy;
  /** Digests of blobs that the next round needs again. */
  pinned(): Iterable<string>;
  diagnose(): TrainingDiagnosis;
  /** Forgets what was learned from the examples of a model. */
  clear(model: ModelName): Promise<void>;
  /** Consent was withdrawn: trainings that were interrupted do not go on, and nothing is kept for the next one. */
  dropCheckpoints(): Promise<void>;
}

export function createLearner(options: LearnerOptions): Learner {
  const { config, ports, events, connection } = options;
  const { env, store, engines } = ports;
  const { identity, http } = connection;
  const releases = withPlans(options.releases);
  const recorder = createTelemetryRecorder({
    clock: env.clock,
    heapBytes: () => engines.heapBytes(),
    onFirst: () => participations.examplesChanged(),
  });
  const controls = store.controls && createKeptControls(store.controls);
  const baseWeights = createBaseWeights({
    releases,
    settings: store.settings,
    onChange: options.onLessNeeded,
    hold: (digests) => ports.holds?.hold("base weights", digests),
  });
  const courtesy = createCourtesy({ clock: env.clock, listen: ports.listen });
  const microBatches = createMicroBatches({
    engines,
    releases,
    settings: store.settings,
    pace: courtesy,
    clock: env.clock,
    log: env.log,
    hasPage: ports.listen !== undefined,
  });
  let trainedOn: TrainingEngine | undefined;
  const work = {
    releases,
    engines,
    examples: options.examples,
    settings: store.settings,
    controls,
    identity,
    population: config.population,
    log: createLogView({ releases, http, settings: store.settings }),
    limits: config.limits,
    openSecAggCrypto: ports.openSecAggCrypto,
    pace: courtesy,
    microBatches,
    onEngine({ engine, note, check }: SessionLease): void {
      const { tried } = engineDiagnosis(check);
      trainedOn = { engine, ...(note === undefined ? {} : { note }), tried };
    },
    checkpoints: createCheckpoints({ store, env }),
    baseWeights,
    holdBack: (): number => participations.holdBack,
    env,
  };
  const participations = createParticipations({
    config,
    env,
    events,
    releases,
    examples: options.examples,
    identity,
    http,
    trainer: createLocalTrainer(work),
    measurer: createLocalMeasurer({ ...work, recorder }),
    recorder,
    conditions: ports.conditions,
    courtesy,
    hasPage: ports.listen !== undefined,
    openModels: options.openModels,
    send: (message) => connection.send(message),
    serverOffsetMs: () => connection.serverOffsetMs,
  });
  return {
    participations,
    recorder,
    courtesy,
    pinned: () => [...participations.pinned(), ...baseWeights.pinned()],
    diagnose: () => ({
      ...(trainedOn === undefined ? {} : { engine: trainedOn }),
      ...courtesy.diagnose(),
      batches: microBatches.diagnose(),
    }),
    clear: async (model) => await controls?.clear(model),
    async dropCheckpoints() {
      for (const { name } of await store.learned.list()) {
        if (isTraining(name)) await store.learned.delete(name);
      }
      await baseWeights.drop();
    },
  };
}
