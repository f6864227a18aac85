import { createApiClient, subscribeEvents, type RoundView } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { asPopulationName, asTaskName } from "@tributary/core";
import { build2nn } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import { createFleet, labelledImagesFile, readIdxFolder } from "@tributary/simulator";
import { join } from "node:path";
import { temporaryFolder } from "./coordinator-process.ts";

/** The algorithm's letters are the paper's: C = fraction, E = epochs, B = batchSize. */
export interface FedAvgOptions {
  /** Folder of IDX files. */
  readonly dataset: string;
  readonly devices: number;
  readonly fraction: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly rounds: number;
  /** Accuracy at which the run may stop. */
  readonly target: number;
  readonly partition: "iid" | "skewed";
  log(line: string): void;
}

export interface FedAvgRun {
  readonly curve: readonly RoundView[];
  /** The first round that reached the target, if one did. */
  readonly roundsToTarget: number | undefined;
  readonly seconds: number;
}

const NAME = asTaskName("fedavg");
const POPULATION = asPopulationName("default");
/** Dirichlet parameters of the devices' labels: one is as good as uniform, the other leaves each device few labels. */
const ALPHA = { iid: 1_000, skewed: 0.5 } as const;

/** McMahan et al. 2017 (FedAvg), on a real coordinator with real devices over real sockets. */
export async function runFedAvg(options: FedAvgOptions): Promise<FedAvgRun> {
  const { train, test } = await readIdxFolder(options.dataset);
  const folder = temporaryFolder();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => folder.remove());
  const coordinator = await createCoordinator({ dataDir: join(folder.path, "coordinator"), port: 0 });
  stack.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel(NAME, build2nn({ seed: "fedavg" }));
  const { digest } = await api.uploadBlob(labelledImagesFile(test));
  const cohort = Math.max(1, Math.round(options.devices * options.fraction));
  const examples = Math.floor(train.count / options.devices);

  const started = performance.now();
  const curve: RoundView[] = [];
  const done = Promise.withResolvers<void>();
  const subscription = subscribeEvents(coordinator.url, {
    lastEventId: 0,
    onEvent: (event) => {
      if (event.type !== "round" || event.data.endedAt === null) return;
      if (curve.some(({ id }) => id === event.data.id)) return;
      if (event.data.phase !== "committed")
        return done.reject(new Error(`round ${event.data.number} was abandoned: ${event.data.reason}`));
      curve.push(event.data);
      options.log(
        `round ${String(event.data.number).padStart(3)}  accuracy ${event.data.accuracy!.toFixed(4)}  loss ${event.data.loss!.toFixed(4)}  ${event.data.seconds!.toFixed(1)} s`,
      );
      if (event.data.accuracy! >= options.target || event.data.number >= options.rounds) done.resolve();
    },
  });
  stack.defer(() => subscription.close());
  const fleet = await createFleet({
    coordinator: coordinator.url,
    trustedRoot: coordinator.tufRoot,
    mintToken: () => coordinator.mintEnrolmentToken(POPULATION),
    dataDir: join(folder.path, "fleet"),
    devices: options.devices,
    dataset: train,
    examples: { min: examples, max: examples },
    alpha: ALPHA[options.partition],
    seed: "fedavg",
    model: NAME,
    task: NAME,
  });
  stack.defer(() => fleet.close());
  await api.createTask(
    parseTaskSpec({
      name: NAME,
      model: NAME,
      rounds: options.rounds,
      local: {
        epochs: options.epochs,
        batchSize: options.batchSize,
        learningRate: options.learningRate,
        maxExamples: examples,
      },
      cohort: {
        goalCount: cohort,
        minimumCount: cohort,
        overSelection: 1,
        trainDeadlineMs: 60_000,
        reportDeadlineMs: 30_000,
      },
      evaluation: { dataset: digest, batchSize: 200 },
      // The curve of FedAvg itself, to be compared with published ones.
      secureAggregation: { mode: "off" },
    }),
  );
  await done.promise;
  return {
    curve,
    roundsToTarget: curve.find(({ accuracy }) => accuracy! >= options.target)?.number,
    seconds: (performance.now() - started) / 1000,
  };
}
