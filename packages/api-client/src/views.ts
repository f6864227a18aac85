/** The JSON shapes of the HTTP API, as the coordinator's OpenAPI document states them. Times are RFC 3339. */

export interface GraphPort {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

export type RoundPhase = "selecting" | "training" | "reporting" | "aggregating" | "committed" | "abandoned";

export interface RoundView {
  readonly id: string;
  readonly task: string;
  readonly model: string;
  readonly number: number;
  readonly phase: RoundPhase;
  readonly baseVersion: number;
  readonly version: number | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly deadlineAt: string | null;
  readonly offered: number;
  readonly ready: number;
  readonly cohort: number;
  readonly reported: number;
  readonly dropouts: number;
  readonly refused: number;
  readonly numExamples: number;
  readonly trainLoss: number | null;
  readonly trainAccuracy: number | null;
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly seconds: number | null;
  readonly reason: string | null;
}

export interface VersionView {
  readonly model: string;
  readonly version: number;
  readonly parentVersion: number | null;
  readonly roundId: string | null;
  readonly createdAt: string;
  readonly weightsDigest: string;
  readonly sizeBytes: number;
  readonly int8SizeBytes: number;
  readonly parameterCount: number;
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly cohort: number;
  readonly numExamples: number;
}

export interface ModelView {
  readonly name: string;
  readonly currentVersion: number;
  readonly channel: string;
  readonly parameterCount: number;
  readonly createdAt: string;
  readonly versions: number;
  readonly input: GraphPort;
  readonly output: GraphPort;
}

export interface TaskSpec {
  readonly name: string;
  readonly model: string;
  readonly population: string;
  readonly rounds: number | null;
  readonly local: {
    readonly epochs: number;
    readonly batchSize: number;
    readonly learningRate: number;
    readonly maxExamples: number;
  };
  readonly cohort: {
    readonly goalCount: number;
    readonly minimumCount: number;
    readonly overSelection: number;
    readonly trainDeadlineMs: number;
    readonly reportDeadlineMs: number;
  };
  readonly pauseBetweenRoundsMs: number;
  readonly evaluation: { readonly dataset: string | null; readonly batchSize: number };
  readonly maxUpdateNorm: number;
}

export interface TaskView {
  readonly name: string;
  readonly model: string;
  readonly population: string;
  readonly state: "running" | "paused" | "finished";
  readonly spec: TaskSpec;
  readonly currentVersion: number;
  readonly round: RoundView | null;
  readonly roundsCommitted: number;
  readonly createdAt: string;
}

export interface DevicesView {
  readonly connected: number;
  readonly training: number;
}

export interface StatusView {
  readonly name: string;
  readonly version: string;
  readonly devices: DevicesView;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly models: number;
  readonly tasks: number;
}
