import type { DeviceId, ModelName, ModelVersion, TaskName } from "@tributary/core";
import type { TaskReason, TaskSpec, TaskState } from "@tributary/protocol";
import type {
  GateRecord,
  MeasurementRecord,
  ParticipationRecord,
  SuspicionRecord,
  TaskRecord,
} from "./task-records.ts";

export interface TaskRepository {
  /** @throws `store/conflict` when the name is taken, `store/not-found` when the model is not there. */
  insert(task: TaskRecord): Promise<void>;
  get(name: TaskName): Promise<TaskRecord | undefined>;
  /** By creation, oldest first. */
  list(): Promise<TaskRecord[]>;
  /**
   * @param more.reason why it does not run; null where it is left out
   * @param more.activeSince where it runs anew
   * @throws `store/not-found`
   */
  setState(
    name: TaskName,
    state: TaskState,
    more?: { readonly reason?: TaskReason | null; readonly activeSince?: number },
  ): Promise<void>;
  /** Replaces the spec, for what may change in a task's life (how many rounds). @throws `store/not-found` */
  setSpec(name: TaskName, spec: TaskSpec): Promise<void>;
  /** @throws `store/not-found` */
  setGate(name: TaskName, gate: GateRecord): Promise<void>;
  /** Replaces the plans by those of the next number. @throws `store/not-found` */
  setPlan(name: TaskName, plan: TaskRecord["plan"], gatePlan: TaskRecord["gatePlan"]): Promise<void>;
}

export interface MeasurementRepository {
  /** @throws `store/conflict` when the round has one. */
  insert(measurement: MeasurementRecord): Promise<void>;
  /** Newest first; `before` is a place (exclusive). */
  list(
    task: TaskName,
    options?: { readonly limit?: number; readonly before?: Pick<MeasurementRecord, "at" | "roundId"> },
  ): Promise<MeasurementRecord[]>;
  /** The newest that measured both versions of a model on the same examples, whichever was the candidate. */
  ofPair(model: ModelName, a: ModelVersion, b: ModelVersion): Promise<MeasurementRecord | undefined>;
  /** The oldest: what later ones are compared with. */
  first(task: TaskName): Promise<MeasurementRecord | undefined>;
  /** Forgets of each task all but the newest `keep` and the first. */
  prune(keep: number): Promise<void>;
}

export interface SuspicionRepository {
  /** Of a task: the quarantined first, then the most suspected. */
  list(task: TaskName): Promise<SuspicionRecord[]>;
  get(task: TaskName, deviceId: DeviceId): Promise<SuspicionRecord | undefined>;
  /** Adds or replaces. */
  put(records: readonly SuspicionRecord[]): Promise<void>;
  /** Those that are not there are no error. */
  remove(task: TaskName, devices: readonly DeviceId[]): Promise<void>;
}

export interface ParticipationRepository {
  /** Of a task, the newest rounds first. */
  list(task: TaskName, limit: number): Promise<ParticipationRecord[]>;
  /** Adds or replaces. */
  put(records: readonly ParticipationRecord[]): Promise<void>;
}
