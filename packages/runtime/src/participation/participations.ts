import { asTaskName, failure, type Env, type ModelName, type TaskName, type Timer } from "@tributary/core";
import { ineligibleReason, type DeviceConditions } from "@tributary/federation";
import type { DeviceMessage, EligibilityRules, ServerMessage } from "@tributary/protocol";
import type { ConditionsPort, DeviceConfig, ParticipateRequest } from "../device.ts";
import type { DeviceEvents } from "../device-events.ts";
import type { Identity } from "../identity.ts";
import type { ParticipationEvent, ParticipationState } from "../runtime.ts";
import type { Examples } from "../examples/examples.ts";
import type { FederationHttp } from "../transport/federation-http.ts";
import { isOffline } from "../transport/retry.ts";
import { consentsOf, type Consents } from "../consent.ts";
import type { TelemetryRecorder } from "../telemetry/recorder.ts";
import { checkShares } from "./checked-shares.ts";
import type { Courtesy } from "./courtesy.ts";
import type { LocalMeasurer } from "./local-measurer.ts";
import type { LocalTrainer } from "./local-trainer.ts";
import { isLogFault, type LogFault } from "./log-view.ts";
import { ownReason } from "./own-reason.ts";
import type { PlannedReleases } from "./plans.ts";
import { createTaskParticipation, type TaskParticipation } from "./task-participation.ts";

type WithoutTime<T> = T extends unknown ? Omit<T, "at"> : never;
export type ParticipationEventBody = WithoutTime<ParticipationEvent>;

export interface ParticipationsOptions {
  readonly config: DeviceConfig;
  readonly env: Env;
  readonly events: DeviceEvents;
  readonly releases: PlannedReleases;
  readonly examples: Pick<Examples, "count">;
  readonly identity: Identity;
  readonly http: FederationHttp;
  readonly trainer: LocalTrainer;
  readonly conditions: ConditionsPort;
  readonly courtesy: Pick<Courtesy, "setDutyCycle" | "setReason">;
  readonly hasPage: boolean;
  readonly measurer: LocalMeasurer;
  readonly recorder: Pick<TelemetryRecorder, "follow" | "hasCounts" | "setEnabled">;
  readonly openModels: () => readonly ModelName[];
  readonly send: (message: DeviceMessage) => void;
  readonly serverOffsetMs: () => number;
}

/**
 * Taking part in the rounds of some tasks, by one consent. Which tasks: the one that was named, or those whose plan,
 * as verified, is for a model that is open here.
 */
export interface Participations {
  readonly state: ParticipationState;
  readonly roundsCommitted: number;
  /** Share of the examples that a training leaves out. */
  readonly holdBack: number;
  start(request: ParticipateRequest): Promise<void>;
  stop(): Promise<void>;
  setConsent(consent: Consents): void;
  setIdle(idle: boolean): void;
  setBattery(battery: DeviceConditions["battery"]): void;
  connected(): void;
  disconnected(): void;
  receive(message: ServerMessage): void;
  /** Examples were added or cleared, or something was counted for telemetry. */
  examplesChanged(): void;
  /** A model was opened, or a new version runs: there may be a new plan. */
  modelsChanged(): void;
  /** Digests of its tasks' plans and graphs: the next round needs them again. */
  pinned(): Iterable<string>;
}

/** How often a device that found no task looks for one. */
const SEARCH_INTERVAL_MS = 30_000;
/** How often a device looks whether it meets the rules of its tasks, beside what its platform tells of changes. */
const CHECK_INTERVAL_MS = 60_000;

interface Task {
  readonly participation: TaskParticipation;
  /** Whose examples it learns from; unknown until its plan was seen. */
  model: ModelName | undefined;
  /** Of its plan: which devices may take part. */
  rules: EligibilityRules | undefined;
  /** By which consent. */
  needs: keyof Consents;
}

export function createParticipations(options: ParticipationsOptions): Participations {
  const { config, env, events, releases } = options;
  const tasks = new Map<TaskName, Task>();
  const pinned = new Map<string, readonly string[]>();
  let request: ParticipateRequest | undefined;
  /** Ends what a participation waits for. */
  let stopping = new AbortController();
  let isConnected = false;
  let idle = true;
  let roundsCommitted = 0;
  let told: ParticipationState = "stopped";
  /** Looking for tasks and counting examples are one thing at a time, and again when asked meanwhile. */
  let updating: Promise<void> | undefined;
  let again = false;
  let searching: Timer | undefined;
  let checking: Timer | undefined;
  let unfollow: (() => void) | undefined;
  let battery: DeviceConditions["battery"] = null;

  const emit = (event: ParticipationEventBody): void => {
    const stamped = { ...event, at: env.clock.now() } as ParticipationEvent;
    events.emit({ type: "participation", event: stamped });
  };

  const stateNow = (): ParticipationState => {
    if (request === undefined) return "stopped";
    const states = [...tasks.values()].map(({ participation }) => participation.state);
    return (["training", "reporting", "ready"] as const).find((each) => states.includes(each)) ?? "waiting";
  };

  const tellState = (): void => {
    const state = stateNow();
    if (state === told) return;
    told = state;
    emit({ type: "state", state });
  };

  const join = (name: TaskName): Task => {
    const known = tasks.get(name);
    if (known !== undefined) return known;
    const participation = createTaskParticipation({
      task: name,
      env,
      identity: options.identity,
      http: options.http,
      trainer: options.trainer,
      measurer: options.measurer,
      send: options.send,
      serverOffsetMs: options.serverOffsetMs,
      notify(event) {
        if (event.type === "state") return tellState();
        if (event.type === "outcome" && event.result === "committed") roundsCommitted += 1;
        emit(event);
        // What was told is not there any more.
        if (event.type === "outcome" && tasks.get(name)?.needs === "telemetry") void update();
        if (event.type === "failed" && isLogFault(event.code)) distrust(event.code);
      },
    });
    const task: Task = { participation, model: undefined, rules: undefined, needs: "training" };
    tasks.set(name, task);
    if (isConnected) participation.connected();
    return task;
  };

  /** The tasks to take part in, from verified plans. */
  const discover = async (wanted: ParticipateRequest, signal: AbortSignal): Promise<void> => {
    const open = new Set<string>(options.openModels());
    let found = false;
    for (const model of open) found = (await discoverOf(model, open, wanted, signal)) || found;
    if (wanted.task === undefined) return;
    // It may be one of a model that is not open here.
    for (const model of releases.models()) {
      if (found || request !== wanted) return;
      if (!open.has(model)) found = await discoverOf(model, open, wanted, signal);
    }
  };

  /** True where the task that is named is one of this model. */
  const discoverOf = async (
    model: string,
    open: ReadonlySet<string>,
    wanted: ParticipateRequest,
    signal: AbortSignal,
  ): Promise<boolean> => {
    const { plans, measurementPlans } = await releases.newestPlans(model, signal);
    for (const { task, path } of plans) {
      if (wanted.task !== undefined && task !== wanted.task) continue;
      const { plan, target } = await releases.plan(path, signal);
      if (plan.population !== config.population) continue;
      if (wanted.task === undefined && !open.has(plan.model)) continue;
      if (request !== wanted) return false;
      const name = asTaskName(task);
      const joined = join(name);
      joined.model = plan.model as ModelName;
      joined.rules = plan.eligibility;
      const { webgpu } = plan.training;
      const graphs = [plan.training.target, ...(webgpu === undefined ? [] : [webgpu.target])];
      pinned.set(name, [target.sha256, ...(await digestsOf(graphs, signal))]);
    }
    for (const { task, path } of measurementPlans) {
      const { plan, target } = await releases.measurementPlan(path, signal);
      if (plan.population !== config.population) continue;
      const needs = plan.kind === "telemetry" ? "telemetry" : "training";
      const isNamed = needs === "training" && wanted.task !== undefined;
      if (isNamed ? task !== wanted.task : !open.has(plan.model)) continue;
      if (request !== wanted) return false;
      const name = asTaskName(task);
      const joined = join(name);
      joined.model = plan.model as ModelName;
      joined.needs = needs;
      if (needs === "telemetry") options.recorder.follow(name, plan.model, plan.metrics);
      joined.rules = plan.eligibility;
      const graphs = plan.kind === "evaluate" ? [plan.evaluation.target] : [];
      pinned.set(`measurements/${name}`, [target.sha256, ...(await digestsOf(graphs, signal))]);
    }
    return [...plans, ...measurementPlans].some(({ task }) => task === wanted.task);
  };

  const digestsOf = async (paths: readonly string[], signal: AbortSignal): Promise<readonly string[]> => {
    const targets = await Promise.all(paths.map((path) => releases.target(path, signal)));
    return targets.map(({ sha256 }) => sha256);
  };

  const countExamples = async (wanted: ParticipateRequest): Promise<void> => {
    const consents = consentsOf(wanted.consent);
    for (const { participation, model, needs } of tasks.values()) {
      const models = model === undefined ? options.openModels() : [model];
      if (needs === "telemetry") {
        // How much was counted is for the vector alone to say.
        // What a round under way has taken is no reason to leave it.
        const some =
          participation.roundId !== undefined || models.some((each) => options.recorder.hasCounts(each));
        participation.consent(consents.telemetry, some ? 1 : 0);
        continue;
      }
      // A training under way pauses: what it did is not lost to a touch.
      const mayBegin = wanted.when === "always" || idle || participation.roundId !== undefined;
      const granted = consents.training && mayBegin;
      const counts = await Promise.all(models.map((each) => options.examples.count(each)));
      if (request !== wanted) return;
      participation.consent(
        granted,
        counts.reduce((sum, each) => sum + each, 0),
      );
    }
  };

  /** Before it is counted as willing: a device that is not asked says so instead of checking in. */
  const checkEligibility = async (wanted: ParticipateRequest): Promise<void> => {
    if (tasks.size > 0) {
      const told = await options.conditions.read();
      const conditions = { ...told, battery: battery ?? told.battery, tags: config.tags };
      if (request !== wanted) return;
      const own = ownReason(conditions);
      for (const { participation, rules } of tasks.values()) {
        participation.eligibility(own ?? (rules === undefined ? null : ineligibleReason(rules, conditions)));
      }
      checking ??= env.clock.schedule(CHECK_INTERVAL_MS, () => {
        checking = undefined;
        void update();
      });
    }
  };

  const applyPace = ({ when, dutyCycle }: ParticipateRequest): void => {
    options.courtesy.setDutyCycle(dutyCycle ?? (options.hasPage && when === "always" ? 0.5 : 1));
    options.courtesy.setReason("not-idle", when === "idle" && !idle);
    options.courtesy.setReason("hidden", when === "visible" && !idle);
  };

  /** Nothing tells a device of the first task of its model, so it looks for it. */
  const searchLater = (): void => {
    if (request === undefined || tasks.size > 0 || searching !== undefined) return;
    searching = env.clock.schedule(SEARCH_INTERVAL_MS, () => {
      searching = undefined;
      if (request === undefined || tasks.size > 0) return;
      releases
        .refresh()
        .catch((error: unknown) => {
          if (!isOffline(error)) events.problem(error);
        })
        .finally(() => void update());
    });
  };

  const update = (): Promise<void> => {
    again = true;
    updating ??= (async () => {
      while (again && request !== undefined) {
        again = false;
        const { signal } = stopping;
        try {
          await discover(request, signal);
        } catch (error) {
          if (!signal.aborted && !isOffline(error)) events.problem(error);
        }
        if (request !== undefined) await checkEligibility(request);
        if (request !== undefined) await countExamples(request);
        tellState();
      }
      searchLater();
    })()
      .catch((error: unknown) => events.problem(error))
      .finally(() => {
        updating = undefined;
        // Asked between the last look and here.
        if (again && request !== undefined) void update();
      });
    return updating;
  };

  const stop = async (): Promise<void> => {
    request = undefined;
    options.recorder.setEnabled(false);
    stopping.abort(failure("federation/cancelled", "participate: it was stopped"));
    searching?.cancel();
    searching = undefined;
    checking?.cancel();
    checking = undefined;
    unfollow?.();
    unfollow = undefined;
    const leaving = [...tasks.values()].map(({ participation }) => participation.stop());
    tasks.clear();
    pinned.clear();
    await Promise.all([...leaving, updating]);
    tellState();
  };

  /** Who rewrites the log of certificates may invent members of cohorts: this device takes part in nothing until the app starts anew. */
  const distrust = (code: LogFault): void => {
    events.problem(
      failure(
        code,
        "participate: stopped, because the certificate log is not the one that this device saw before",
      ),
    );
    stop().catch((error: unknown) => events.problem(error));
  };

  return {
    get state() {
      return stateNow();
    },
    get holdBack() {
      return request?.holdBack ?? 0;
    },
    get roundsCommitted() {
      return roundsCommitted;
    },
    async start(wanted) {
      checkShares(wanted);
      if (request !== undefined) {
        throw failure("federation/busy", "participate: this device takes part already; stop that first");
      }
      request = wanted;
      stopping = new AbortController();
      applyPace(wanted);
      unfollow = options.conditions.follow(() => void update());
      options.recorder.setEnabled(consentsOf(wanted.consent).telemetry);
      // Named tasks are joined before their plan is known, so that a device may wait for one to begin.
      if (wanted.task !== undefined) join(asTaskName(wanted.task));
      tellState();
      await update();
    },
    stop,
    setConsent(consent) {
      if (request === undefined) return;
      request = { ...request, consent };
      options.recorder.setEnabled(consent.telemetry);
      void update();
    },
    setIdle(next) {
      if (idle === next) return;
      idle = next;
      if (request !== undefined) applyPace(request);
      void update();
    },
    setBattery(next) {
      battery = next;
      void update();
    },
    connected() {
      isConnected = true;
      for (const { participation } of tasks.values()) participation.connected();
      void update();
    },
    disconnected() {
      isConnected = false;
      for (const { participation } of tasks.values()) participation.disconnected();
    },
    receive(message) {
      const all = [...tasks.values()].map(({ participation }) => participation);
      const busy = message.type === "offer" ? all.find(({ roundId }) => roundId !== undefined) : undefined;
      if (message.type === "offer" && busy !== undefined && busy.task !== message.task) {
        // One thing at a time; a coordinator that knows its devices does not ask.
        return options.send({ type: "decline", roundId: message.roundId, code: "federation/busy" });
      }
      if (message.type !== "request-report" && message.type !== "secure-step" && message.type !== "outcome") {
        for (const participation of all) participation.receive(message);
        return;
      }
      // These name a round and no task: the others would say that they do not know it. If none does, one says so.
      const named = all.find(({ roundId }) => roundId === message.roundId) ?? all[0];
      named?.receive(message);
    },
    examplesChanged: () => void update(),
    modelsChanged: () => void update(),
    pinned: () => [...pinned.values()].flat(),
  };
}
