import {
  encodeBase64url,
  encodeHex,
  failure,
  seededRandom,
  sha256,
  toFailure,
  type RoundId,
  type TaskName,
  type Timer,
} from "@tributary/core";
import {
  initialParticipant,
  PARTICIPANT_DEFAULTS,
  stepParticipant,
  type ParticipantConfig,
  type ParticipantEffect,
  type ParticipantEvent,
  type ParticipantInput,
} from "@tributary/federation";
import {
  secureAnswerPath,
  secureInputPath,
  uploadMessage,
  type DeviceMessage,
  type IneligibleReason,
  type MeasurementOffer,
  type Offer,
  type SecureStep,
  type ServerMessage,
} from "@tributary/protocol";
import type { Env } from "@tributary/core";
import type { Identity } from "../identity.ts";
import type { ParticipationState } from "../runtime.ts";
import type { FederationHttp } from "../transport/federation-http.ts";
import type { LocalMeasurer } from "./local-measurer.ts";
import type { LocalTrainer, LocalUpdate } from "./local-trainer.ts";
import type { ParticipationEventBody } from "./participations.ts";

export interface TaskParticipationOptions {
  readonly task: TaskName;
  readonly env: Env;
  readonly identity: Pick<Identity, "certificate" | "sign">;
  readonly http: Pick<FederationHttp, "upload" | "secureInput" | "secureAnswer">;
  readonly trainer: LocalTrainer;
  readonly measurer: LocalMeasurer;
  readonly send: (message: DeviceMessage) => void;
  /** What to add to the device's monotonic clock to get the coordinator's: setting the device's clock moves no deadline. */
  readonly serverOffsetMs: () => number;
  readonly notify: (event: ParticipationEventBody) => void;
}

/** The driver of one task's participant: its effects are carried out here, their results fed back. */
export interface TaskParticipation {
  readonly task: TaskName;
  readonly state: ParticipationState;
  /** The round it is in, if any. */
  readonly roundId: RoundId | undefined;
  connected(): void;
  disconnected(): void;
  receive(message: ServerMessage): void;
  consent(granted: boolean, examples: number): void;
  /** The rule of the plan that the device does not meet; null: it meets all. */
  eligibility(reason: IneligibleReason | null): void;
  /** Withdraws consent and settles when nothing is under way. */
  stop(): Promise<void>;
}

type WithoutNow<T> = T extends unknown ? Omit<T, "now"> : never;

/** Progress is told at most this often. */
const PROGRESS_EVERY_MS = 250;

export function createTaskParticipation(options: TaskParticipationOptions): TaskParticipation {
  const { task, env, http, identity, trainer, notify } = options;
  const config: ParticipantConfig = { ...PARTICIPANT_DEFAULTS, task };
  let state = initialParticipant();
  let told: ParticipationState = "waiting";
  let timer: Timer | undefined;
  let stopped = false;
  const random = seededRandom(encodeHex(env.random.bytes(16)));
  const updates = new Map<RoundId, LocalUpdate>();
  const working = new Map<string, AbortController>();
  /** The offer that each training is for, by the round it is for now. */
  const trainings = new Map<RoundId, { offer: Offer }>();
  const underWay = new Set<Promise<void>>();
  /** What is told how its round ended. */
  let settling:
    | { readonly roundId: RoundId; readonly settle: (committed: boolean) => Promise<void> }
    | undefined;

  const now = (): number => Math.floor(env.clock.monotonicMs() + options.serverOffsetMs());

  const input = (event: WithoutNow<ParticipantInput>): void => {
    const step = stepParticipant(config, state, { ...event, now: now() } as ParticipantInput);
    state = step.state;
    for (const effect of step.effects) perform(effect);
    tellState();
  };

  const tellState = (): void => {
    const next = stateOf();
    if (next === told) return;
    told = next;
    notify({ type: "state", state: next });
  };

  const stateOf = (): ParticipationState => {
    if (stopped) return "stopped";
    switch (state.activity.type) {
      case "idle":
        return "waiting";
      case "uploading":
      case "reported":
      case "securing":
        return "reporting";
      case "training":
      case "ready":
        return state.activity.type;
    }
  };

  const perform = (effect: ParticipantEffect): void => {
    switch (effect.type) {
      case "send":
        return options.send(effect.message);
      case "train":
        return work(`train ${effect.offer.roundId}`, (signal) => trainOffer(effect.offer, signal));
      case "measure":
        // By the same name: it is cancelled as training is.
        return work(`train ${effect.offer.roundId}`, (signal) => measureOffer(effect.offer, signal));
      case "cancel-training":
        return cancel(`train ${effect.roundId}`);
      case "carry-training":
        return carryTraining(effect.roundId, effect.offer);
      case "upload":
        return work(`upload ${effect.roundId}`, (signal) => upload(effect, signal));
      case "cancel-upload":
        return cancel(`upload ${effect.roundId}`);
      case "secure-step":
        return work(`${effect.request.step} ${effect.roundId}`, (signal) =>
          secureStep(effect.request, signal),
        );
      case "cancel-secure-step":
        return cancel(`${effect.step} ${effect.roundId}`);
      case "discard-update":
        return discard(effect.roundId);
      case "wake-at":
        timer?.cancel();
        timer = env.clock.schedule(Math.max(0, effect.at - now()), () => input({ type: "tick" }));
        return;
      case "notify":
        return tell(effect.event);
      default: {
        const never: never = effect;
        throw new TypeError(`participation: no such effect ${String(never)}`);
      }
    }
  };

  /** Runs in the background; the machine hears how it ended. */
  const work = (name: string, run: (signal: AbortSignal) => Promise<void>): void => {
    cancel(name);
    const controller = new AbortController();
    working.set(name, controller);
    const running = run(controller.signal).finally(() => {
      for (const [each, of] of working) if (of === controller) working.delete(each);
    });
    underWay.add(running);
    void running.finally(() => underWay.delete(running));
  };

  const cancel = (name: string): void => {
    working
      .get(name)
      ?.abort(failure("federation/cancelled", `participation: ${name} is not needed any more`));
    working.delete(name);
  };

  const carryTraining = (from: RoundId, offer: Offer): void => {
    const training = trainings.get(from);
    const controller = working.get(`train ${from}`);
    if (training === undefined || controller === undefined) return;
    training.offer = offer;
    trainings.delete(from);
    trainings.set(offer.roundId, training);
    working.delete(`train ${from}`);
    working.set(`train ${offer.roundId}`, controller);
  };

  const trainOffer = async (offer: Offer, signal: AbortSignal): Promise<void> => {
    const training = { offer };
    trainings.set(offer.roundId, training);
    let toldAtMs = -Infinity;
    try {
      const update = await trainer.train(offer, {
        signal,
        reportTo: () => training.offer,
        onProgress({ step, steps, loss }) {
          const { roundId } = training.offer;
          const atMs = env.clock.monotonicMs();
          if (step < steps && atMs - toldAtMs < PROGRESS_EVERY_MS) return;
          toldAtMs = atMs;
          notify({ type: "progress", roundId, step, steps, loss });
        },
      });
      const { roundId } = update;
      if (roundId !== training.offer.roundId) {
        // Carried on between its sealing and here: what is sealed for one round is of no use to another.
        if ("member" in update) update.member.close();
        return await trainOffer(training.offer, signal);
      }
      ready(roundId, update, signal);
    } catch (cause) {
      workFailed(training.offer.roundId, cause, signal);
    } finally {
      for (const [roundId, of] of trainings) if (of === training) trainings.delete(roundId);
    }
  };

  const measureOffer = async (offer: MeasurementOffer, signal: AbortSignal): Promise<void> => {
    try {
      ready(offer.roundId, await options.measurer.measure(offer, signal), signal);
    } catch (cause) {
      workFailed(offer.roundId, cause, signal);
    }
  };

  const ready = (roundId: RoundId, update: LocalUpdate, signal: AbortSignal): void => {
    updates.set(roundId, update);
    // Of one round at a time: whoever is in a later one has not heard how the one before ended.
    settling =
      "settle" in update && update.settle !== undefined ? { roundId, settle: update.settle } : undefined;
    if (signal.aborted) return discard(roundId);
    const { numExamples } = update;
    if ("member" in update) {
      const { commitment, certificate } = update.member;
      return input({ type: "trained-securely", roundId, numExamples, commitment, certificate });
    }
    const { digest, metrics, body } = update;
    input({ type: "trained", roundId, numExamples, updateDigest: digest, sizeBytes: body.length, metrics });
  };

  const workFailed = (roundId: RoundId, cause: unknown, signal: AbortSignal): void => {
    if (signal.aborted) return;
    const error = toFailure(cause, "federation/training-failed");
    env.log.warn("training failed", { task, roundId, error });
    input({ type: "train-failed", roundId, code: error.code });
  };

  const upload = async (
    { roundId, path, deadlineMs }: Extract<ParticipantEffect, { type: "upload" }>,
    signal: AbortSignal,
  ): Promise<void> => {
    try {
      const update = updates.get(roundId);
      if (update === undefined || "member" in update) throw lost(roundId);
      const certificate = await identity.certificate(signal);
      const proof = await identity.sign(uploadMessage(roundId, update.digest, update.body.length));
      await http.upload({
        path,
        body: update.body,
        certificate: encodeBase64url(certificate),
        proof: encodeBase64url(proof),
        untilMs: deadlineMs - options.serverOffsetMs(),
        signal,
      });
      await update.spent?.();
      if (!signal.aborted) input({ type: "uploaded", roundId });
    } catch (cause) {
      if (signal.aborted) return;
      const error = toFailure(cause, "transport/upload-failed");
      env.log.warn("upload failed", { task, roundId, error });
      input({ type: "upload-failed", roundId, code: error.code, retryable: error.retryable });
    }
  };

  const settle = ({ roundId, result }: Extract<ParticipantEvent, { type: "outcome" }>): void => {
    if (settling?.roundId !== roundId) return;
    const running = settling.settle(result === "committed").catch((error: unknown) => {
      env.log.warn("what a round left could not be kept", { task, roundId, error: toFailure(error) });
    });
    settling = undefined;
    underWay.add(running);
    void running.finally(() => underWay.delete(running));
  };

  const discard = (roundId: RoundId): void => {
    const update = updates.get(roundId);
    updates.delete(roundId);
    if (update !== undefined && "member" in update) update.member.close();
  };

  /** Gets what a step needs, has it checked, and puts the answer; one that was made before is put again. */
  const secureStep = async (request: SecureStep, signal: AbortSignal): Promise<void> => {
    const { roundId, step, member: number } = request;
    const access = {
      capability: encodeBase64url(request.capability),
      untilMs: request.deadlineMs - options.serverOffsetMs(),
      signal,
    };
    let checked = false;
    try {
      const update = updates.get(roundId);
      if (update === undefined || !("member" in update)) throw lost(roundId);
      const { member } = update;
      let answering = member.answerTo(step);
      if (answering === undefined) {
        const bytes = await http.secureInput({ path: secureInputPath(roundId, step, number), ...access });
        if (sha256(bytes) !== request.digest) throw otherInput(request);
        if (signal.aborted) return;
        answering = member.answer(step, bytes);
      }
      const body = await answering;
      checked = true;
      if (step === "advertise" && member.cohort !== undefined && !signal.aborted) {
        const { members: cohort, private: isPrivate } = member.cohort;
        notify({ type: "secured", roundId, cohort, private: isPrivate });
      }
      const path = secureAnswerPath(roundId, step, number, sha256(body));
      await http.secureAnswer({ path, body, ...access });
      if (signal.aborted) return;
      if (step === "mask") notify({ type: "uploaded", roundId, sizeBytes: body.length, masked: true });
      input({ type: "secure-answered", roundId, step });
    } catch (cause) {
      if (signal.aborted) return;
      const error = toFailure(cause, "transport/upload-failed");
      env.log.warn("a step of secure aggregation failed", { task, roundId, step, error });
      // A check that failed has ended the session here; only the way to the coordinator is tried again.
      const retryable = error.retryable && (checked || !error.code.startsWith("secagg/"));
      input({ type: "secure-failed", roundId, step, code: error.code, retryable });
    }
  };

  const tell = (event: ParticipantEvent): void => {
    switch (event.type) {
      case "checked-in":
        return notify({ type: "checked-in", task, examples: event.examples });
      case "ineligible":
      case "offered":
        return notify({ ...event, task });
      case "trained": {
        const update = updates.get(event.roundId);
        if (update === undefined) return;
        if ("measured" in update) {
          const { measured, numExamples, durationMs } = update;
          return notify({
            type: "measured",
            roundId: event.roundId,
            kind: measured,
            numExamples,
            durationMs,
          });
        }
        const { numExamples, loss, accuracy, durationMs, engine, note, heldBack } = update;
        const by = {
          engine,
          ...(note === undefined ? {} : { note }),
          ...(heldBack === undefined ? {} : { heldBack }),
        };
        return notify({
          type: "trained",
          roundId: event.roundId,
          numExamples,
          loss,
          accuracy,
          durationMs,
          ...by,
        });
      }
      case "reporting":
        return;
      case "uploaded":
        return notify({ ...event, masked: false });
      case "outcome":
        settle(event);
        return notify(event);
      case "failed":
        return notify({ ...event, message: `round ${event.roundId} ended here: ${event.code}` });
      default: {
        const never: never = event;
        throw new TypeError(`participation: no such event ${String(never)}`);
      }
    }
  };

  return {
    task,
    get state() {
      return stateOf();
    },
    get roundId() {
      return state.activity.type === "idle" ? undefined : state.activity.offer.roundId;
    },
    connected: () => input({ type: "connected" }),
    disconnected: () => input({ type: "disconnected" }),
    receive: (message) => input({ type: "message", message, jitter: random.next() }),
    consent: (granted, examples) => input({ type: "consent", granted, examples }),
    eligibility: (reason) => input({ type: "eligibility", reason }),
    async stop() {
      if (!stopped) {
        input({ type: "consent", granted: false, examples: 0 });
        stopped = true;
        timer?.cancel();
        for (const name of working.keys()) cancel(name);
      }
      await Promise.all(underWay);
    },
  };
}

function lost(roundId: RoundId): Error {
  return failure("federation/update-lost", `participation: the update of ${roundId} is gone`);
}

function otherInput({ roundId, step, digest }: SecureStep): Error {
  return failure("transport/digest-mismatch", `participation: ${step} of ${roundId} is not ${digest}`, {
    detail: { digest },
  });
}
