import { failure, type Env, type ModelName, type ModelVersion, type Timer } from "@tributary/core";
import {
  rolloutEnded,
  stepRollout,
  type RolloutEffect,
  type RolloutInput,
  type RolloutTransition,
  type WatchedDevices,
} from "@tributary/federation";
import {
  parseRolloutSpec,
  type AuditActor,
  type AuditAction,
  type RolloutChange,
  type RolloutList,
  type RolloutReason,
  type RolloutView,
} from "@tributary/protocol";
import { rolloutChanged, versionWithdrawn } from "../audit/records.ts";
import { LISTS } from "../pages/lists.ts";
import type { PageAsked } from "../pages/read-page.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/event-records.ts";
import type { ModelRecord, WithdrawalRecord } from "../ports/model-records.ts";
import type { RolloutRecord, WatchedDeviceRecord } from "../ports/rollout-records.ts";
import type { Releases } from "../rooms.ts";
import { SerialQueue } from "../rounds/serial-queue.ts";
import type { SteadyNow } from "../steady-time.ts";
import { lookAtCohorts } from "./cohort-evidence.ts";
import { DeviceWatch } from "./device-evidence.ts";
import { createReleaseDraft, type ReleaseDraft } from "./release-draft.ts";
import { rolloutEvent, rolloutView, withdrawalEvent } from "./rollout-view.ts";
import { prepareRollout } from "./start-rollout.ts";
import { channelsToMove, descendsFrom } from "./taken-back.ts";
import { pauseTraining, resetTraining } from "./training-heads.ts";

/** How often the evidence is looked at. */
export const ROLLOUT_LOOK_MS = 1_000;

export interface RolloutsContext {
  readonly env: Env;
  readonly steadyNow: SteadyNow;
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly bus: Bus;
  readonly releases: Releases;
}

/** Versions that reach the devices of a channel in steps, and are taken back where they do worse. */
export interface Rollouts {
  /**
   * @param also what is stored with it
   * @throws `protocol/invalid-document`, `coordinator/unknown-model`, and as `prepareRollout`
   */
  start(
    model: ModelName,
    document: unknown,
    by: AuditActor,
    also?: (tx: MetadataRepositories, at: number) => Promise<void>,
  ): Promise<RolloutView>;
  /** @throws `coordinator/unknown-model` */
  list(model: ModelName, asked: PageAsked): Promise<RolloutList>;
  /** @throws `coordinator/unknown-model`, `coordinator/unknown-rollout` */
  get(model: ModelName, rollout: string): Promise<RolloutView>;
  /** @throws `coordinator/unknown-rollout`, `coordinator/version-withdrawn`, `federation/rollout-ended`, `federation/rollout-state` */
  change(model: ModelName, rollout: string, change: RolloutChange, by: AuditActor): Promise<RolloutView>;
  /**
   * No device runs the version any more, nor what grew out of it is released: channels on either go back to the last version that is good,
   * rollouts of it end, and training goes on from before it. Of one that was withdrawn, what was said then.
   *
   * @throws `coordinator/unknown-model`, `coordinator/unknown-version`
   */
  withdraw(
    model: ModelName,
    version: ModelVersion,
    reason: string,
    by: AuditActor,
  ): Promise<WithdrawalRecord>;
  /** Goes on with those that were under way. */
  begin(): Promise<void>;
  /** Looks at the evidence now, once what is under way is done. */
  look(): Promise<void>;
  close(): Promise<void>;
}

export function createRollouts(context: RolloutsContext): Rollouts {
  const { env, steadyNow, store, releases, bus } = context;
  const { clock, log } = env;
  const queue = new SerialQueue();
  const watches = new Map<string, DeviceWatch>();
  let timer: Timer | undefined;
  let closed = false;

  const inTurn = <T>(job: () => Promise<T>): Promise<T> =>
    queue.run(() => {
      if (closed) throw failure("core/closed", "rollouts: closed");
      return job();
    });

  const modelOf = async (name: ModelName): Promise<ModelRecord> => {
    const model = await store.models.get(name);
    if (model !== undefined) return model;
    throw failure("coordinator/unknown-model", `rollouts: no model "${name}"`, { detail: { model: name } });
  };

  const recordOf = async (model: ModelName, rollout: string): Promise<RolloutRecord> => {
    await modelOf(model);
    const record = await store.rollouts.get(model, rollout);
    if (record !== undefined) return record;
    throw failure("coordinator/unknown-rollout", `rollouts: "${model}" has no rollout "${rollout}"`, {
      detail: { model, rollout },
    });
  };

  /** Everything in one transaction with what is signed; nothing is signed where nothing of it changed. */
  const commit = async (
    draft: ReleaseDraft,
    write: (tx: MetadataRepositories, at: number) => Promise<readonly NewEvent[]>,
  ): Promise<void> => {
    const at = clock.now();
    const stored = async (tx: MetadataRepositories) => {
      const told = [...(await write(tx, at)), ...(await draft.write(tx, at))];
      return tx.events.append(told, at);
    };
    if (draft.isEmpty) {
      for (const event of await store.transaction(stored)) await bus.publish("event", event);
      return;
    }
    const { events, timestampVersion } = await releases.release(await draft.changes(), async (change) => ({
      events: await store.transaction(async (tx) => {
        await tx.releases.apply(change);
        return stored(tx);
      }),
      timestampVersion: change.metadata.find(({ role }) => role === "timestamp")?.version ?? 0,
    }));
    for (const { model, name, version } of await draft.told()) {
      const committedAt = clock.now();
      await bus.publish("release", { model, channel: name, version, timestampVersion, committedAt });
    }
    for (const event of events) await bus.publish("event", event);
    for (const task of draft.paused) await bus.publish("task", { task });
  };

  /** What follows from one input to a rollout, stored and signed. */
  const advance = async (
    record: RolloutRecord,
    input: RolloutInput,
    more: {
      readonly by?: AuditActor;
      readonly action?: Extract<AuditAction, `rollout.${string}`>;
      readonly evidence?: RolloutRecord["evidence"];
      readonly watched?: readonly WatchedDeviceRecord[];
    } = {},
  ): Promise<RolloutRecord> => {
    const { state, effects } = stepRollout(record.config, record.state, input);
    const { evidence = record.evidence, watched = [] } = more;
    const ended = rolloutEnded(state);
    const after = { ...record, state, evidence, endedAt: ended ? clock.now() : null };
    const by: AuditActor = more.by ?? { kind: "coordinator", rollout: record.rollout };
    const draft = await draftOf(after, effects, by);
    const action = more.action ?? actionOf(record, { state, effects });
    await commit(draft, async (tx, at) => {
      await tx.rollouts.update(after);
      if (ended) await tx.rollouts.forgetWatched(after);
      else await tx.rollouts.putWatched(watched);
      if (action === undefined) return [];
      await tx.audit.append([rolloutChanged(by, action, after)], at);
      return [rolloutEvent(after, steadyNow())];
    });
    const watch = watches.get(keyOf(record));
    watch?.stored(watched);
    if (ended) watches.delete(keyOf(record));
    if (action !== undefined) {
      const { model, rollout } = record;
      const reason = "reason" in state ? state.reason.message : undefined;
      log[state.phase === "rolled-back" ? "warn" : "info"]("rollout changed", {
        model,
        rollout,
        state: state.phase,
        step: state.step + 1,
        reason,
      });
    } else if (state !== record.state) {
      const data = rolloutEvent(after, steadyNow());
      await bus.publish("event", { ...data, id: null, at: clock.now() });
    }
    return after;
  };

  /** What is signed by effects, with all that a withdrawal brings along. */
  const draftOf = async (
    after: RolloutRecord,
    effects: readonly RolloutEffect[],
    by: AuditActor,
  ): Promise<ReleaseDraft> => {
    const draft = await createReleaseDraft(context, await modelOf(after.model), by);
    for (const effect of effects) {
      switch (effect.type) {
        case "publish":
          draft.publish(after);
          break;
        case "withdraw":
          await withdrawIn(draft, effect.version, effect.reason.message, by, after.rollout);
          break;
        case "release":
          await draft.move(after.channel, effect.version);
          break;
        case "end":
          draft.end(after);
          break;
      }
    }
    return draft;
  };

  /** Other rollouts are told once this is stored: see `withdrawn`. */
  const withdrawIn = async (
    draft: ReleaseDraft,
    version: ModelVersion,
    reason: string,
    by: AuditActor,
    rollout?: string,
  ): Promise<void> => {
    const { model } = draft;
    if ((await store.withdrawals.get(model.name, version)) !== undefined) return;
    // Texts of devices' documents are bounded.
    const record = { model: model.name, version, reason: reason.slice(0, 256), at: clock.now() };
    draft.withdraw(record);
    for (const { name, to } of await channelsToMove(store, model.name, version)) await draft.move(name, to);
    draft.also(async (tx, at) => {
      await tx.withdrawals.insert(record);
      await tx.audit.append([versionWithdrawn(by, record, rollout)], at);
      const paused = await pauseTraining(tx, model.name, version, at);
      draft.paused.push(...paused.tasks);
      return [withdrawalEvent(record), ...paused.events];
    });
  };

  /** What else has to end with versions that were withdrawn. */
  const withdrawn = async (model: ModelName, version: ModelVersion, message: string): Promise<void> => {
    const reason: RolloutReason = { code: "withdrawn", message };
    for (const record of await store.rollouts.underWay(model)) {
      const { control, spec } = record.config;
      let current = record;
      for (const tried of [control, ...spec.arms.map((arm) => arm.version)]) {
        const { state } = current;
        const isTried =
          tried === control || state.arms.some((arm) => arm.version === tried && arm.ended === null);
        if (rolloutEnded(state) || !isTried || !(await descendsFrom(store, model, tried, version))) continue;
        const input = { type: "withdrawn", version: tried, reason, now: steadyNow() } as const;
        current = await advance(current, input, { action: "rollout.back" });
      }
    }
  };

  const lookAt = async (record: RolloutRecord): Promise<void> => {
    const { model, rollout, channel, config } = record;
    const points = await store.channels.get(model, channel);
    if (points?.version !== config.control) {
      // Nothing else moves it; of a store that says otherwise, the channel is what devices run.
      const message = `channel "${channel}" was moved to ${points?.version ?? "nothing"}`;
      await advance(record, { type: "abort", now: steadyNow(), reason: { code: "operator", message } });
      return;
    }
    const key = keyOf(record);
    const watch = watches.get(key) ?? (await new DeviceWatch(store).open({ model, rollout }));
    watches.set(key, watch);
    const { counted, watched, toldBefore } = await watch.look(record, clock.now());
    const cohorts = await lookAtCohorts(store, record);
    const evidence = { ...cohorts.evidence, toldBefore };
    const now = steadyNow();
    const none: WatchedDevices = { devices: 0, values: [] };
    const input: RolloutInput =
      counted.size === 0
        ? { type: "tick", now }
        : {
            type: "devices",
            now,
            control: counted.get(config.control) ?? none,
            arms: Object.fromEntries(
              config.spec.arms.map((arm) => [arm.name, counted.get(arm.version) ?? none]),
            ),
          };
    const isNews = counted.size > 0 || watched.length > 0 || cohorts.evidence !== record.evidence;
    const quiet = stepRollout(config, record.state, input);
    if (!isNews && quiet.effects.length === 0 && quiet.state === record.state) return;
    const first = await advance(record, input, { evidence, watched });
    let after = first;
    for (const pair of cohorts.pairs) {
      if (rolloutEnded(after.state)) break;
      after = await advance(after, { ...pair, now });
    }
    await tellOthers(record, after);
  };

  const tellOthers = async (before: RolloutRecord, after: RolloutRecord): Promise<void> => {
    for (const [i, { version, ended }] of after.state.arms.entries()) {
      if (ended !== null && before.state.arms[i]!.ended === null) {
        await withdrawn(after.model, version, ended.message);
      }
    }
  };

  const look = async (): Promise<void> => {
    for (const record of await store.rollouts.underWay()) {
      try {
        await lookAt(record);
      } catch (error) {
        const { model, rollout } = record;
        if (!closed) log.error("rollouts: the evidence could not be weighed", { model, rollout, error });
      }
    }
    await resetTraining(context);
  };

  const later = (): void => {
    timer = clock.schedule(ROLLOUT_LOOK_MS, () => {
      inTurn(look)
        .catch((error: unknown) => {
          if (!closed) log.error("rollouts: the evidence could not be looked at", { error });
        })
        .finally(() => {
          if (!closed) later();
        });
    });
  };

  return {
    start: (name, document, by, also) =>
      inTurn(async () => {
        const spec = parseRolloutSpec(document);
        const model = await modelOf(name);
        const { record, versions } = await prepareRollout(context, model, spec, steadyNow());
        const draft = await createReleaseDraft(context, model, by);
        draft.publish(record);
        for (const [i, version] of versions.entries()) await draft.arm(record, spec.arms[i]!.name, version);
        await commit(draft, async (tx, at) => {
          await tx.rollouts.insert(record);
          if (spec.runtime !== undefined)
            for (const { version } of versions)
              await tx.versions.setRequiredRuntime(name, version, spec.runtime);
          await tx.audit.append([rolloutChanged(by, "rollout.start", record)], at);
          await also?.(tx, at);
          return [rolloutEvent(record, steadyNow())];
        });
        log.info("rollout started", { model: name, rollout: record.rollout });
        return rolloutView(record, steadyNow());
      }),
    async list(model, asked) {
      const { name } = await modelOf(model);
      const { rows, next } = await LISTS.rollouts(asked, (page) => store.rollouts.list(name, page));
      return { rollouts: rows.map((record) => rolloutView(record, steadyNow())), next };
    },
    get: async (model, rollout) => rolloutView(await recordOf(model, rollout), steadyNow()),
    change: (model, rollout, { action, reason: words, arm }, by) =>
      inTurn(async () => {
        const record = await recordOf(model, rollout);
        const now = steadyNow();
        const reason: RolloutReason = { code: "operator", message: words ?? `an operator: ${action}` };
        const input: RolloutInput =
          action === "resume"
            ? { type: action, now }
            : action === "promote"
              ? { type: action, now, arm: arm ?? onlyArm(record) }
              : { type: action, now, reason };
        const after = await advance(record, input, {
          by,
          action: `rollout.${action === "rollback" ? "back" : action}`,
        });
        await tellOthers(record, after);
        return rolloutView(after, steadyNow());
      }),
    withdraw: (name, version, reason, by) =>
      inTurn(async () => {
        const model = await modelOf(name);
        if ((await store.versions.get(name, version)) === undefined)
          throw failure("coordinator/unknown-version", `rollouts: "${name}" has no version ${version}`, {
            detail: { model: name, version },
          });
        const before = await store.withdrawals.get(name, version);
        if (before !== undefined) return before;
        const draft = await createReleaseDraft(context, model, by);
        await withdrawIn(draft, version, reason, by);
        await commit(draft, () => Promise.resolve([]));
        log.warn("rollouts: version withdrawn", { model: name, version, reason });
        await withdrawn(name, version, reason);
        await resetTraining(context);
        return (await store.withdrawals.get(name, version))!;
      }),
    begin() {
      later();
      return inTurn(() => resetTraining(context));
    },
    look: () => inTurn(look),
    async close() {
      closed = true;
      timer?.cancel();
      await queue.idle();
    },
  };
}

function keyOf({ model, rollout }: Pick<RolloutRecord, "model" | "rollout">): string {
  return `${model} ${rollout}`;
}

/** @throws `federation/rollout-state` where there are several to choose from */
function onlyArm({ state }: RolloutRecord): string {
  const live = state.arms.filter(({ ended }) => ended === null);
  if (live.length === 1) return live[0]!.name;
  throw failure(
    "federation/rollout-state",
    `rollouts: promote which of ${live.map(({ name }) => name).join(", ")}? name one with "arm"`,
    { detail: { action: "promote" } },
  );
}

/** What is recorded of what the coordinator did by itself; undefined: nothing that an operator would have to know. */
function actionOf(
  { state: before }: RolloutRecord,
  { state, effects }: RolloutTransition,
): Extract<AuditAction, `rollout.${string}`> | undefined {
  if (state.phase === "completed") return "rollout.complete";
  if (state.phase === "rolled-back" || effects.some(({ type }) => type === "withdraw")) return "rollout.back";
  if (state.phase === "aborted") return "rollout.abort";
  if (state.phase === "paused" && before.phase !== "paused") return "rollout.pause";
  return state.step === before.step ? undefined : "rollout.step";
}
