import {
  asModelVersion,
  type Env,
  failure,
  type ModelName,
  type ModelVersion,
  type TaskName,
} from "@tributary/core";
import type { StrategyRegistry } from "@tributary/aggregation";
import {
  STABLE_CHANNEL,
  type AuditActor,
  type CardNotes,
  type RetentionPreview,
  type RetentionRule,
  type RetentionView,
  type TaskStateChange,
  type VersionOrAlias,
} from "@tributary/protocol";
import { parameterCount, sameSchema } from "@tributary/tensor";
import { OPERATOR_BY_PROCESS } from "../audit/actors.ts";
import {
  cardNotesWritten,
  channelMoved,
  keysGiven,
  taskChanged,
  taskCreated,
  versionPublished,
  type ImportedFrom,
} from "../audit/records.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { EventRecord } from "../ports/event-records.ts";
import type { AliasRecord, ModelRecord, VersionRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { requireNoRollout, requireNotBarred } from "../rollouts/barred-versions.ts";
import type { Releases } from "../rooms.ts";
import { followCandidate, moveAlias, removeAlias, versionOf } from "./aliases.ts";
import { checkTask, type CheckedTask, type CheckTaskOptions } from "./check-task.ts";
import { storeExplanation } from "./explanation.ts";
import { requireIdleModel } from "./idle-model.ts";
import { storePersonalisation } from "./personalisation.ts";
import { publishedLineage } from "./lineage.ts";
import { readPublished } from "./read-published.ts";
import { changeRetention, previewRetention, retentionView } from "./change-retention.ts";
import { requireTrainable } from "./require-trainable.ts";
import { resetHead, type HeadResetResult } from "./reset-head.ts";
import { releaseVersion, removeChannel } from "./release-version.ts";
import { storePlans } from "./task-plans.ts";
import { takeCalibration, wantedVariants } from "./variants.ts";
import { nextVersionNumber } from "./next-number.ts";
import { storeVersion } from "./version-artifacts.ts";
import { forgetStates } from "./version-states.ts";
import { taskEvent, type TaskProgress, versionEvent } from "./views.ts";

/** Stores what belongs to a change, in its transaction. */
export type AlsoStored = (tx: MetadataRepositories, at: number) => Promise<void>;

export interface RegistryOptions {
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly bus: Bus;
  readonly env: Env;
  readonly releases: Releases;
  readonly strategies: StrategyRegistry;
  /** Raw Ed25519 public key (32 bytes) of the issuer of device certificates: signed into secure plans. */
  readonly issuerPublicKey: Uint8Array;
}

export interface PublishOptions {
  /**
   * False: no channel points to it, so that it can be rolled out in steps. A model's first version is what its channel begins with.
   *
   * @defaultValue true
   */
  readonly release?: boolean;
  /** Least version of the runtime that may run it. */
  readonly runtime?: string;
  /** Where it was exported before, for the audit log. */
  readonly imported?: ImportedFrom | undefined;
}

/** Models, their versions, and the tasks that improve them. `by` is who did it, for the audit log: who runs the process, by default. */
export interface Registry {
  /**
   * Publishes an ONNX file or a TensorFlow.js artifact: as version 1, or as the next version of a model with the same graph.
   *
   * @throws `onnx/*`, `engine/invalid-artifact`, `safetensors/*`; `protocol/invalid-document` for processing that does not fit; `coordinator/model-exists` when the name belongs to another graph;
   *   `coordinator/rollout-running` where it would move the channel of one
   */
  publish(
    model: ModelName,
    file: Uint8Array,
    by?: AuditActor,
    options?: PublishOptions,
  ): Promise<VersionRecord>;
  /** What `createTask` would hold a document to before it makes its plans; nothing is stored. @throws as `checkTask` */
  checkTask(document: unknown, options?: CheckTaskOptions): Promise<CheckedTask>;
  /** @throws `protocol/invalid-document`, `aggregation/*`, `coordinator/task-exists`, `coordinator/unknown-model`, `coordinator/invalid-task`, `coordinator/model-busy`, `onnx/*` */
  createTask(spec: unknown, by?: AuditActor): Promise<TaskRecord>;
  /**
   * @param also what is stored with it
   * @throws `coordinator/unknown-task`, `coordinator/model-busy`, `coordinator/version-withdrawn` of what it would go on from
   */
  changeTask(
    name: TaskName,
    change: TaskStateChange,
    by?: AuditActor,
    also?: AlsoStored,
  ): Promise<TaskRecord>;
  /**
   * Moves a channel to a version; one that is not there yet is made.
   *
   * @param channel - @defaultValue "stable"
   * @throws `coordinator/unknown-model`, `coordinator/unknown-version`, `coordinator/version-retired`, `coordinator/too-many-channels`
   */
  release(
    model: ModelName,
    version: VersionOrAlias,
    options?: { readonly channel?: string; readonly by?: AuditActor; readonly also?: AlsoStored },
  ): Promise<VersionRecord>;
  /** @throws `coordinator/unknown-model`, `coordinator/unknown-channel`, `coordinator/channel-fixed` */
  removeChannel(model: ModelName, channel: string, by?: AuditActor): Promise<void>;
  /**
   * A version by its number or what it is called.
   *
   * @throws `coordinator/unknown-model`, `coordinator/unknown-version`, `coordinator/unknown-alias`
   */
  version(model: ModelName, version: VersionOrAlias): Promise<VersionRecord>;
  /**
   * Gives a version a name, and takes it from the one that had it.
   *
   * @throws as `version`, and `coordinator/too-many-aliases`, `coordinator/alias-fixed`
   */
  moveAlias(
    model: ModelName,
    alias: string,
    version: VersionOrAlias,
    by?: AuditActor,
    also?: AlsoStored,
  ): Promise<AliasRecord>;
  /** @throws `coordinator/unknown-model`, `coordinator/unknown-alias`, `coordinator/alias-fixed` */
  removeAlias(model: ModelName, alias: string, by?: AuditActor): Promise<void>;
  /** Writes on the cards of a model, in the place of what was there. @throws `coordinator/unknown-model` */
  setCardNotes(model: ModelName, notes: CardNotes, by?: AuditActor): Promise<ModelRecord>;
  /** The rule by which versions of a model stay, and those that do. @throws `coordinator/unknown-model` */
  retention(model: ModelName): Promise<RetentionView>;
  /** What another rule would do. @throws `coordinator/unknown-model` */
  previewRetention(model: ModelName, rule: RetentionRule): Promise<RetentionPreview>;
  /** Gives a model another rule: what does not stay by it leaves the release at once. @throws `coordinator/unknown-model` */
  setRetention(model: ModelName, rule: RetentionRule, by?: AuditActor): Promise<RetentionView>;
  /**
   * Lets a task that does not run go on from a version of its model, with what its server optimizer remembered after it.
   *
   * @throws as `prepareReset`
   */
  resetHead(task: TaskName, version: ModelVersion, by?: AuditActor): Promise<HeadResetResult>;
  progress(task: TaskRecord): Promise<TaskProgress>;
  /** @throws `coordinator/unknown-model` */
  model(name: ModelName): Promise<ModelRecord>;
  /** @throws `coordinator/unknown-task` */
  task(name: TaskName): Promise<TaskRecord>;
}

const PAUSED = { code: "operator", message: "an operator paused it" } as const;

export function createRegistry(options: RegistryOptions): Registry {
  const { store, blobs, bus, env, releases, strategies, issuerPublicKey } = options;
  const announce = async (events: readonly EventRecord[]) => {
    for (const event of events) await bus.publish("event", event);
  };

  const registry: Registry = {
    async publish(name, given, by = OPERATOR_BY_PROCESS, options = {}) {
      const { release: wanted = true, runtime, imported } = options;
      const { file, calibration } = takeCalibration(given);
      const known = await store.models.get(name);
      const isReleased = wanted || known === undefined;
      if (isReleased) await requireNoRollout(store, name, STABLE_CHANNEL);
      const read = readPublished(file, known);
      const { graph, trainingGraph, parameters, described } = read;
      const graphBlob = await blobs.put(graph);
      const trainingBlob = trainingGraph === undefined ? null : await blobs.put(trainingGraph);
      const createdAt = env.clock.now();
      if (known !== undefined)
        if (
          // Earlier releases published what had been exported.
          ![graphBlob.digest, trainingBlob?.digest].includes(known.graph.digest) ||
          !sameSchema(known.parameters, parameters.schema)
        )
          throw failure(
            "coordinator/model-exists",
            `registry: "${name}" exists with another graph; publish this one under another name`,
            { detail: { model: name } },
          );
      const model: ModelRecord = known ?? {
        name,
        currentVersion: asModelVersion(1),
        releasedVersion: asModelVersion(1),
        releasedAt: createdAt,
        parameters: parameters.schema,
        parameterCount: parameterCount(parameters.schema),
        graph: graphBlob,
        trainingGraph: trainingBlob,
        ...described,
        cardNotes: null,
        retention: null,
        variants: described.format === "onnx" ? wantedVariants(file) : [],
        explanation: await storeExplanation({ blobs, log: env.log }, file, read),
        personalisation: await storePersonalisation(blobs, name, file, read),
        createdAt,
      };
      const parentVersion = known === undefined ? null : known.currentVersion;
      const version = await nextVersionNumber(store, name);
      const published = {
        version,
        parentVersion,
        roundId: null,
        createdAt,
        loss: null,
        accuracy: null,
        metrics: {},
        cohort: 0,
        numExamples: 0,
        strategy: null,
        releasedAt: isReleased ? createdAt : null,
        gate: null,
        trust: null,
        lineage: publishedLineage(model, by),
        requiredRuntime: runtime ?? null,
      };
      const stored = await storeVersion({ blobs, store, env, bus }, model, published, parameters, undefined, {
        calibration,
      });
      const { events, timestampVersion } = await releases.release(stored.targets, async (release) => ({
        events: await store.commitVersion(
          {
            ...(known === undefined ? { model } : {}),
            version: stored.version,
            release,
            audit: [
              ...keysGiven(by, "key.create", release.roles),
              versionPublished(by, stored.version, imported),
              ...(isReleased ? [channelMoved(by, STABLE_CHANNEL, stored.version)] : []),
            ],
            events: async (tx) => {
              if (isReleased) await restartGates(tx, stored.version, createdAt);
              await forgetStates(tx, stored.version);
              return [versionEvent(stored.version)];
            },
          },
          createdAt,
        ),
        timestampVersion: release.metadata.find(({ role }) => role === "timestamp")?.version ?? 0,
      }));
      env.log.info("registry: version published", { model: name, version, released: isReleased });
      await announce(events);
      if (!isReleased) return stored.version;
      await bus.publish("release", {
        model: name,
        channel: STABLE_CHANNEL,
        version,
        timestampVersion,
        committedAt: env.clock.now(),
      });
      return stored.version;
    },

    checkTask: (document, more) =>
      checkTask({ store, blobs, strategies }, document, (name) => registry.model(name), more),

    async createTask(document, by = OPERATOR_BY_PROCESS) {
      const { spec, model, complete } = await registry.checkTask(document);
      await requireIdleModel(store.tasks, spec);
      const { targets, ...plans } = await storePlans(blobs, {
        spec,
        number: 1,
        model,
        complete,
        issuerPublicKey,
      });
      await requireTrainable(blobs, spec, plans.plan);
      const createdAt = env.clock.now();
      const task: TaskRecord = {
        name: spec.name,
        model: spec.model,
        population: spec.population,
        state: "running",
        spec,
        ...plans,
        gate: spec.gate && {
          reference: model.currentVersion,
          candidate: null,
          failures: 0,
          last: null,
        },
        createdAt,
        reason: null,
        activeSince: createdAt,
      };
      const progress = { currentVersion: model.currentVersion, round: null, roundsCommitted: 0 };
      const events = await releases.release(targets, (release) =>
        store.transaction(async (tx) => {
          await requireIdleModel(tx.tasks, spec);
          await tx.tasks.insert(task);
          await tx.releases.apply(release);
          await tx.audit.append([taskCreated(by, task)], createdAt);
          return tx.events.append([taskEvent(task, progress)], createdAt);
        }),
      );
      env.log.info("registry: task created", { task: task.name, model: task.model });
      await announce(events);
      await bus.publish("task", { task: task.name });
      return task;
    },

    async changeTask(name, { state, moreRounds }, by = OPERATOR_BY_PROCESS, also) {
      const events = await store.transaction(async (tx) => {
        const task = await tx.tasks.get(name);
        if (task === undefined) throw unknownTask(name);
        const model = await tx.models.get(task.model);
        if (state === "running") {
          await requireIdleModel(tx.tasks, task.spec);
          // What was trained from a version that was withdrawn would be barred as well: there is `task reset` for that.
          if (task.spec.kind === "train" && model !== undefined)
            await requireNotBarred(tx, task.model, model.currentVersion);
        }
        const committed = await tx.rounds.countCommitted(name);
        const spec = moreRounds === undefined ? task.spec : { ...task.spec, rounds: committed + moreRounds };
        if (moreRounds !== undefined) await tx.tasks.setSpec(name, spec);
        const reason = state === "paused" ? PAUSED : null;
        const activeSince = task.state === "running" ? task.activeSince : env.clock.now();
        await tx.tasks.setState(name, state, { reason, activeSince });
        // Whoever lets it go on has seen why it stopped.
        const gate = state === "running" && task.gate !== null ? { ...task.gate, failures: 0 } : task.gate;
        if (gate !== null) await tx.tasks.setGate(name, gate);
        const [round = null] = await tx.rounds.list(name, { limit: 1 });
        const changed = { ...task, spec, state, gate, reason, activeSince };
        const at = env.clock.now();
        await tx.audit.append([taskChanged(by, task, changed)], at);
        await also?.(tx, at);
        const progress = {
          currentVersion: model?.currentVersion ?? asModelVersion(1),
          round,
          roundsCommitted: committed,
        };
        return tx.events.append([taskEvent(changed, progress)], at);
      });
      env.log.info("registry: task changed", { task: name, state });
      await announce(events);
      await bus.publish("task", { task: name });
      return registry.task(name);
    },

    async release(name, wanted, { channel = STABLE_CHANNEL, by = OPERATOR_BY_PROCESS, also } = {}) {
      const { version } = await versionOf(store, name, wanted);
      return releaseVersion(
        { store, blobs, bus, env, releases },
        { model: name, version, channel, by, also },
      );
    },
    removeChannel: (name, channel, by = OPERATOR_BY_PROCESS) =>
      removeChannel({ store, bus, env, releases }, { model: name, channel, by }),
    version: (name, wanted) => versionOf(store, name, wanted),
    moveAlias: (name, alias, version, by = OPERATOR_BY_PROCESS, also) =>
      moveAlias({ store, bus, env }, name, alias, version, by, also),
    removeAlias: (name, alias, by = OPERATOR_BY_PROCESS) => removeAlias({ store, bus, env }, name, alias, by),
    resetHead: (name, version, by = OPERATOR_BY_PROCESS) =>
      resetHead({ store, bus, env, releases }, name, version, by),

    async setCardNotes(name, notes, by = OPERATOR_BY_PROCESS) {
      await registry.model(name);
      const updatedAt = env.clock.now();
      await store.transaction(async (tx) => {
        await tx.models.setCardNotes(name, { notes, updatedAt });
        await tx.audit.append([cardNotesWritten(by, name, notes)], updatedAt);
      });
      env.log.info("registry: card notes written", { model: name });
      return registry.model(name);
    },

    retention: async (name) => retentionView(store, await registry.model(name), env.clock.now()),
    previewRetention: async (name, rule) =>
      previewRetention(store, { model: await registry.model(name), rule, now: env.clock.now() }),
    async setRetention(name, rule, by = OPERATOR_BY_PROCESS) {
      await changeRetention({ store, env, releases }, { model: await registry.model(name), rule, by });
      return registry.retention(name);
    },

    async progress(task) {
      const model = await registry.model(task.model);
      const [round = null] = await store.rounds.list(task.name, { limit: 1 });
      const roundsCommitted = await store.rounds.countCommitted(task.name);
      return { currentVersion: model.currentVersion, round, roundsCommitted };
    },

    async model(name) {
      const model = await store.models.get(name);
      if (model === undefined)
        throw failure("coordinator/unknown-model", `registry: no model "${name}"`, {
          detail: { model: name },
        });
      return model;
    },

    async task(name) {
      const task = await store.tasks.get(name);
      if (task === undefined) throw unknownTask(name);
      return task;
    },
  };
  return registry;
}

/** What an operator publishes is released: gates compare with it from here on, and what waited for a verdict is outdated. */
async function restartGates(
  tx: Pick<MetadataRepositories, "tasks" | "aliases">,
  { model, version }: Pick<VersionRecord, "model" | "version">,
  at: number,
): Promise<void> {
  const { tasks } = tx;
  for (const task of await tasks.list()) {
    if (task.model !== model || task.gate === null) continue;
    await tasks.setGate(task.name, { ...task.gate, reference: version, candidate: null, failures: 0 });
  }
  await followCandidate(tx, model, at);
}

function unknownTask(name: TaskName): Error {
  return failure("coordinator/unknown-task", `registry: no task "${name}"`, { detail: { task: name } });
}
