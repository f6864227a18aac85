import type { ModelName, ModelVersion, TaskName } from "@tributary/core";
import type { RetentionRule } from "@tributary/protocol";
import type {
  AliasRecord,
  ChannelRecord,
  ModelRecord,
  OptimizerRecord,
  VersionRecord,
  VersionStateRecord,
  WithdrawalRecord,
} from "./model-records.ts";

export interface ModelRepository {
  /** @throws `store/conflict` when the name is taken. */
  insert(model: ModelRecord): Promise<void>;
  get(name: ModelName): Promise<ModelRecord | undefined>;
  /** By name. */
  list(): Promise<ModelRecord[]>;
  /** @throws `store/not-found` */
  setCardNotes(name: ModelName, notes: NonNullable<ModelRecord["cardNotes"]>): Promise<void>;
  /** @throws `store/not-found` */
  setRetention(name: ModelName, rule: RetentionRule): Promise<void>;
  /** Training goes on from the version, newer or older. @throws `store/not-found` where there is no such version */
  resetHead(name: ModelName, version: ModelVersion): Promise<void>;
}

/** What devices ask models by. The channel stable comes with the model. */
export interface ChannelRepository {
  get(model: ModelName, name: string): Promise<ChannelRecord | undefined>;
  /** Of a model, stable first, then by name. */
  list(model: ModelName): Promise<ChannelRecord[]>;
  /**
   * Points a channel to a version; one that is not there is made. With stable goes the alias `champion`, and the version notes it.
   *
   * @throws `store/not-found`
   */
  move(channel: ChannelRecord): Promise<void>;
  /** Its history stays. @returns false where there is none */
  remove(model: ModelName, name: string): Promise<boolean>;
  /**
   * What channels pointed to: each version of each channel once, when the channel was last moved there; the newest first.
   *
   * @param options.name of one channel
   * @param options.before rows of that channel that come after this place
   */
  history(
    model: ModelName,
    options?: {
      readonly name?: string;
      readonly limit?: number;
      readonly before?: Pick<ChannelRecord, "releasedAt" | "version">;
    },
  ): Promise<ChannelRecord[]>;
}

/** What versions are called beside their numbers. */
export interface AliasRepository {
  get(model: ModelName, name: string): Promise<AliasRecord | undefined>;
  /** Of a model, by name. */
  list(model: ModelName): Promise<AliasRecord[]>;
  /** Gives a version the name, and takes it from the one that had it. @throws `store/not-found` */
  move(alias: AliasRecord): Promise<void>;
  /** @returns false where there is none */
  remove(model: ModelName, name: string): Promise<boolean>;
}

export interface VersionRepository {
  /**
   * Adds a version and makes it the model's current one, and where it says `releasedAt` what the channel stable points to,
   * and the alias `champion`.
   * @throws `store/conflict` when the number is taken, the round made a version already, or the parent is not the current version.
   */
  insert(version: VersionRecord): Promise<void>;
  get(model: ModelName, version: ModelVersion): Promise<VersionRecord | undefined>;
  /** Newest first. */
  list(
    model: ModelName,
    options?: { readonly limit?: number; readonly before?: ModelVersion },
  ): Promise<VersionRecord[]>;
  count(model: ModelName): Promise<number>;
  /** @throws `store/not-found` */
  setGate(model: ModelName, version: ModelVersion, gate: NonNullable<VersionRecord["gate"]>): Promise<void>;
  /** Says which runtime a version needs, from its next manifest on. @throws `store/not-found` */
  setRequiredRuntime(model: ModelName, version: ModelVersion, runtime: string | null): Promise<void>;
}

/** What versions came from, and what their tasks remembered after them. */
export interface VersionStateRepository {
  /** @throws `store/conflict` when the version has one, `store/not-found` when it is not there */
  insert(state: VersionStateRecord): Promise<void>;
  get(model: ModelName, version: ModelVersion): Promise<VersionStateRecord | undefined>;
  /** Newest first. */
  list(model: ModelName): Promise<VersionStateRecord[]>;
  /** Forgets those of all versions up to this one, but for `kept`. */
  forget(model: ModelName, upTo: ModelVersion, kept: readonly ModelVersion[]): Promise<void>;
}

/** Nothing in it is changed or removed: a version that was withdrawn stays so. */
export interface WithdrawalRepository {
  /** @throws `store/conflict` where it was withdrawn before, `store/not-found` without the model. */
  insert(record: WithdrawalRecord): Promise<void>;
  get(model: ModelName, version: ModelVersion): Promise<WithdrawalRecord | undefined>;
  /** Newest versions first. */
  list(model: ModelName): Promise<WithdrawalRecord[]>;
}

export interface OptimizerRepository {
  get(task: TaskName): Promise<OptimizerRecord | undefined>;
  put(record: OptimizerRecord): Promise<void>;
  /** It begins anew. Where it remembers nothing, that is no error. */
  remove(task: TaskName): Promise<void>;
}
