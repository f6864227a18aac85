/** Weights of a device's own for the models that are open: trained, adopted where they are better, kept, checked again, erased. */
import { encodeHex, failure, seededRandom, toFailure, type Env, type ModelName } from "@tributary/core";
import { parsePersonalisation, type ModelManifest, type Personalisation } from "@tributary/protocol";
import { writeSafetensors, type ParameterSet } from "@tributary/tensor";
import type { DeviceEvents } from "../device-events.ts";
import type { EngineProvider } from "../engine-provider.ts";
import type { Examples } from "../examples/examples.ts";
import { createSealing } from "../examples/sealing.ts";
import { createCourtesy, type Courtesy } from "../participation/courtesy.ts";
import { createMicroBatches } from "../participation/micro-batches.ts";
import type { DeviceStore, StoredExample } from "../store/device-store.ts";
import type { BlobFetcher } from "../updater/blob-fetcher.ts";
import type { ModelSlot } from "../updater/slot-types.ts";
import type { Releases } from "../updater/releases.ts";
import { readWeights } from "../updater/bind-version.ts";
import { versionFiles } from "../updater/version-files.ts";
import { createTurns } from "../turns.ts";
import { chosenAdapters, openAdapterTraining } from "./adapter-training.ts";
import { boundModel } from "./bound-weights.ts";
import { drawExamples } from "./held-back-draws.ts";
import { createPersonalRecords, type PersonalRecord } from "./personal-weights.ts";
import type {
  PersonalChange,
  PersonalDiagnosis,
  PersonalDropReason,
  PersonaliseRequest,
  PersonalMeasurement,
  PersonalisationReport,
} from "./personalisation.ts";

export interface PersonalisationsOptions {
  readonly store: DeviceStore;
  readonly engines: EngineProvider;
  readonly releases: Releases;
  readonly blobs: BlobFetcher;
  readonly examples: Examples;
  readonly events: DeviceEvents;
  readonly env: Env;
  /** Where a page is near. */
  readonly listen: (() => Promise<void>) | undefined;
  /** Aborts when the device closes. */
  readonly closing: AbortSignal;
}

export interface Personalisations {
  /** Told of touches, as that of rounds is. */
  readonly courtesy: Courtesy;
  /** @throws `runtime/not-personalisable`, `runtime/too-few-examples`, `engine/*`, `signal.reason` */
  train(slot: ModelSlot, request: PersonaliseRequest, signal?: AbortSignal): Promise<PersonalisationReport>;
  /**
   * Has the weights that are kept answer; those for another version only once they were found better on the one that runs.
   *
   * @param options.check false: those for another version are left to whoever runs that. @defaultValue true
   */
  restore(slot: ModelSlot, options?: { readonly check?: boolean }): Promise<void>;
  report(model: ModelName): Promise<PersonalisationReport | undefined>;
  export(model: ModelName): Promise<Uint8Array<ArrayBuffer> | undefined>;
  clear(model: ModelName, slot: ModelSlot | undefined): Promise<void>;
  /** Everything was erased: whatever is under way ends, and nothing of it answers. */
  forget(slots: readonly ModelSlot[]): Promise<void>;
  diagnose(model: ModelName): PersonalDiagnosis;
  /** Settles when nothing is under way. */
  settled(): Promise<void>;
}

/** One to be held back, and some to learn from. */
const LEAST_EXAMPLES = 5;
/** Of a training on few examples. */
const LEAST_STEPS = 60;
const DEFAULTS = { holdBack: 0.2 } as const satisfies PersonaliseRequest;

export function createPersonalisations(options: PersonalisationsOptions): Personalisations {
  const { store, engines, releases, blobs, examples, events, env, listen, closing } = options;
  const records = createPersonalRecords(store, createSealing(store, env.random));
  const courtesy = createCourtesy({ clock: env.clock, listen });
  const microBatches = createMicroBatches({
    engines,
    releases,
    settings: store.settings,
    pace: courtesy,
    clock: env.clock,
    log: env.log,
    hasPage: listen !== undefined,
  });
  const turns = createTurns();
  const known = new Map<ModelName, PersonalDiagnosis>();
  const underWay = new Set<Promise<unknown>>();
  let forgetting = new AbortController();

  const tell = (
    model: ModelName,
    active: boolean,
    record: PersonalRecord | undefined,
    last?: PersonalChange,
  ) => {
    const told = last ?? known.get(model)?.last;
    known.set(model, {
      active,
      ...(record === undefined ? {} : { report: record.report }),
      ...(told === undefined ? {} : { last: told }),
    });
    if (last !== undefined) events.emit({ type: "personal", model, ...last });
  };

  /** One at a time, until everything is forgotten or the device closes. */
  const inTurn = async <T>(
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const ends = endingWith([closing, forgetting.signal, signal]);
    try {
      const end = await turns.take(ends.signal);
      const running = work(ends.signal);
      underWay.add(running);
      try {
        return await running;
      } finally {
        underWay.delete(running);
        end();
      }
    } finally {
      ends.leave();
    }
  };

  const baseOf = async (
    { manifest, installed }: ModelSlot["current"],
    signal: AbortSignal,
  ): Promise<ParameterSet> => {
    const { weights } = versionFiles(manifest, installed.files);
    return readWeights(manifest, installed.files, await blobs.fetch({ ...weights, signal }));
  };

  const documentOf = async (manifest: ModelManifest, signal: AbortSignal): Promise<Personalisation> => {
    const { model, personalisation, format } = manifest;
    if (personalisation !== undefined) {
      return parsePersonalisation(await releases.fetchTarget(personalisation.target, { signal }));
    }
    const why = format === "tfjs" ? "is a model of TensorFlow.js" : "was published without personalisation";
    throw failure("runtime/not-personalisable", `personalise: "${model}" ${why}`, { detail: { model } });
  };

  const documentDigest = async (
    { personalisation }: ModelManifest,
    signal: AbortSignal,
  ): Promise<string | undefined> =>
    personalisation && (await releases.find(personalisation.target, signal))?.sha256;

  const open = async (
    { manifest }: ModelSlot["current"],
    adapters: PersonalRecord["adapters"],
    base: ParameterSet,
    signal: AbortSignal,
  ) => {
    const document = await documentOf(manifest, signal);
    return await openAdapterTraining({
      engines,
      releases,
      microBatches,
      pace: courtesy,
      document,
      adapters,
      base,
      signal,
    });
  };

  const adopt = async (slot: ModelSlot, record: PersonalRecord): Promise<void> => {
    const { manifest, installed } = slot.current;
    const { graph } = versionFiles(manifest, installed.files);
    await slot.setPersonal({
      version: record.version,
      key: `personal:${manifest.model}:${record.version}:${record.report.at}`,
      model: async () => {
        const [bytes, base] = await Promise.all([
          blobs.fetch({ ...graph, signal: closing }),
          baseOf({ manifest, installed }, closing),
        ]);
        return boundModel(bytes, base, record);
      },
    });
    tell(slot.name, true, record);
  };

  const drop = async (slot: ModelSlot, reason: PersonalDropReason): Promise<void> => {
    await records.delete(slot.name);
    await slot.setPersonal(undefined);
    tell(slot.name, false, undefined, { change: "dropped", reason });
  };

  const heldBackOf = async (model: ModelName, record: PersonalRecord): Promise<readonly StoredExample[]> => {
    const draws = await drawExamples(await examples.read(model), record.seed);
    return draws.split(record.heldBackTo).heldBack;
  };

  /** On another version than they were trained for: still better, or gone. */
  const checkAgain = async (slot: ModelSlot, record: PersonalRecord, signal: AbortSignal): Promise<void> => {
    const { current } = slot;
    const { version } = current.manifest;
    const digest = await documentDigest(current.manifest, signal);
    if (digest !== record.documentDigest) return await drop(slot, "other-graph");
    const heldBack = await heldBackOf(slot.name, record);
    if (heldBack.length === 0) return await drop(slot, "no-examples");
    const base = await baseOf(current, signal);
    const opened = await open(current, record.adapters, base, signal);
    let before: PersonalMeasurement;
    let after: PersonalMeasurement;
    try {
      before = await opened.measure(heldBack);
      after = await opened.measure(heldBack, record.changes);
    } finally {
      await opened.close();
    }
    if (!isBetter(before, after)) return await drop(slot, "no-better");
    const kept = { ...record, version };
    await records.write(slot.name, kept);
    await adopt(slot, kept);
    tell(slot.name, true, kept, { change: "kept", version, before, after });
  };

  const restoreNow = async (slot: ModelSlot, check: boolean, signal: AbortSignal): Promise<void> => {
    let record: PersonalRecord | undefined;
    try {
      record = await records.read(slot.name);
    } catch (error) {
      env.log.warn("weights of this device's own cannot be read", { error: toFailure(error) });
      return await drop(slot, "unreadable");
    }
    if (record === undefined) {
      if (known.get(slot.name)?.active !== true) return;
      await slot.setPersonal(undefined);
      return tell(slot.name, false, undefined);
    }
    if (record.version !== slot.current.manifest.version) {
      tell(slot.name, false, record);
      if (check) await checkAgain(slot, record, signal);
      return;
    }
    await adopt(slot, record);
  };

  const trainNow = async (
    slot: ModelSlot,
    request: PersonaliseRequest,
    signal: AbortSignal,
  ): Promise<PersonalisationReport> => {
    const startedAtMs = env.clock.monotonicMs();
    const { current, name: model } = slot;
    const document = await documentOf(current.manifest, signal);
    const { kind, adapters } = chosenAdapters(document, request.adapters);
    const all = await examples.read(model);
    if (all.length < LEAST_EXAMPLES) throw tooFew(model, all.length);
    const digest = (await documentDigest(current.manifest, signal))!;
    const earlier = await records.read(model).catch(() => undefined);
    const { version } = current.manifest;
    // The same ones are held back as before: what answers now has not seen them either.
    const seed = earlier?.seed ?? encodeHex(env.random.bytes(16));
    const draws = await drawExamples(all, seed);
    const heldBackTo = draws.bounds(request.holdBack ?? DEFAULTS.holdBack);
    const { heldBack, learned } = draws.split(heldBackTo);
    if (learned.length === 0) throw tooFew(model, all.length);
    courtesy.setDutyCycle(request.dutyCycle ?? (listen === undefined ? 1 : 0.5));
    const base = await baseOf(current, signal);
    const opened = await open(current, kind, base, signal);
    try {
      const own = await opened.measure(heldBack);
      const isComparable =
        earlier?.version === version && earlier.adapters === kind && earlier.documentDigest === digest;
      const present = isComparable ? await opened.measure(heldBack, earlier.changes) : undefined;
      const before = present !== undefined && isBetter(own, present) ? present : own;
      const { changes, steps } = await opened.train({
        examples: learned,
        epochs: request.epochs ?? epochsFor(document, learned.length),
        learningRate: request.learningRate ?? adapters.learningRate,
        random: seededRandom(`${seed} ${all.length}`),
        onProgress: ({ step, steps: total, loss }) =>
          events.emit({ type: "personalising", model, step, steps: total, loss }),
      });
      const after = await opened.measure(heldBack, changes);
      const report: PersonalisationReport = {
        model,
        adapters: kind,
        version,
        adopted: isBetter(before, after),
        examples: learned.length,
        heldBack: heldBack.length,
        before,
        after,
        steps,
        durationMs: env.clock.monotonicMs() - startedAtMs,
        engine: opened.engine,
        at: env.clock.now(),
      };
      if (!report.adopted) {
        tell(model, known.get(model)?.active ?? false, earlier, { change: "rejected", report });
        return report;
      }
      const { inference } = adapters;
      const record: PersonalRecord = {
        adapters: kind,
        documentDigest: digest,
        version,
        seed,
        heldBackTo,
        report,
        changes,
        ...(inference === undefined
          ? {}
          : {
              inference: {
                graph: Uint8Array.from(await releases.fetchTarget(inference.target, { signal })),
                parameters: inference.parameters,
              },
            }),
      };
      signal.throwIfAborted();
      await records.write(model, record);
      if (slot.current.manifest.version === version) {
        await adopt(slot, record);
      }
      tell(model, known.get(model)?.active ?? false, record, { change: "adopted", report });
      return report;
    } finally {
      await opened.close();
    }
  };

  return {
    courtesy,
    async train(slot, request, signal) {
      const report = await inTurn(signal, (ends) => trainNow(slot, request, ends));
      // A version may have come meanwhile.
      if (report.adopted && slot.current.manifest.version !== report.version) await this.restore(slot);
      return report;
    },
    restore: (slot, { check = true } = {}) => inTurn(undefined, (ends) => restoreNow(slot, check, ends)),
    report: async (model) => (await records.read(model))?.report,
    async export(model) {
      const record = await records.read(model);
      if (record === undefined) return undefined;
      const { adapters, version, report } = record;
      return writeSafetensors([...record.changes], {
        adapters,
        version: String(version),
        report: JSON.stringify(report),
      });
    },
    clear: (model, slot) =>
      inTurn(undefined, async () => {
        const was = await records.delete(model);
        await slot?.setPersonal(undefined);
        if (was) tell(model, false, undefined, { change: "dropped", reason: "erased" });
      }),
    async forget(slots) {
      forgetting.abort(failure("federation/cancelled", "personalise: everything was erased"));
      await Promise.allSettled(underWay);
      forgetting = new AbortController();
      known.clear();
      for (const slot of slots) await slot.setPersonal(undefined);
    },
    diagnose: (model) => known.get(model) ?? { active: false },
    async settled() {
      await Promise.allSettled(underWay);
    },
  };
}

/** The published passes; more of few examples, so that there are steps enough to learn by. */
function epochsFor({ epochs, batchSize }: Personalisation, examples: number): number {
  return Math.max(epochs, Math.ceil(LEAST_STEPS / Math.ceil(examples / batchSize)));
}

/** Aborts with the first of others. `AbortSignal.any` came to browsers later than what else runs here. */
function endingWith(others: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal;
  /** The others are heard no more. */
  leave(): void;
} {
  const controller = new AbortController();
  const heard = others.filter((each) => each !== undefined);
  const onAbort = (): void => controller.abort(heard.find(({ aborted }) => aborted)?.reason);
  for (const each of heard) each.addEventListener("abort", onAbort, { once: true });
  if (heard.some(({ aborted }) => aborted)) onAbort();
  return {
    signal: controller.signal,
    leave() {
      for (const each of heard) each.removeEventListener("abort", onAbort);
    },
  };
}

/** A loss that fell, and no hit lost for it. */
function isBetter(before: PersonalMeasurement, after: PersonalMeasurement): boolean {
  return after.loss < before.loss && (after.accuracy ?? 0) >= (before.accuracy ?? 0);
}

function tooFew(model: ModelName, count: number): Error {
  return failure(
    "runtime/too-few-examples",
    `personalise: "${model}" has ${count} examples that differ here, at least ${LEAST_EXAMPLES} are needed; keep more first`,
    { detail: { model, expected: LEAST_EXAMPLES, got: count } },
  );
}
