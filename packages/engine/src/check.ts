/**
 * A WebGPU result is trusted after it was checked: onnxruntime's WebGPU provider silently miscomputes some shapes.
 * One batch runs on both engines; among those that agree the faster one is chosen by measurement.
 */
import type { Clock } from "@tributary/core";
import type { Tensor } from "@tributary/tensor";
import { compareOutputs, MAX_RELATIVE_ERROR, type CheckResult } from "./compare.ts";
import type { Engine, EngineName, Feeds, Session } from "./engine.ts";

export type EngineChoiceReason =
  /** The other engine agreed and was measured slower. */
  | "faster"
  /** It was insisted on, and it agrees. */
  | "insisted"
  /** There is no second engine to compare with. */
  | "only-engine"
  /** The candidate computed something else: it is not used. */
  | "disagrees"
  /** The candidate could not load or run the model. */
  | "failed"
  /** The reference itself could not run the batch, so that there was nothing to compare. */
  | "no-sample";

/** Plain data, so that callers can store it per model version. */
export interface EngineChoice {
  readonly engine: EngineName;
  /** The engine whose answer counted. */
  readonly reference: EngineName;
  /** What was compared with the reference; null where there was nothing. */
  readonly candidate: EngineName | null;
  readonly reason: EngineChoiceReason;
  /** Largest relative error seen between the two; null when there was nothing to compare. */
  readonly relativeError: number | null;
  /** Median run time in ms of each measured engine. */
  readonly medianMs: Readonly<Partial<Record<EngineName, number>>>;
  /** For `failed`: what the candidate said; for `no-sample`: what the reference did. */
  readonly message?: string;
}

export interface ChooseEngineOptions {
  /** The engine whose answer counts (WASM). */
  readonly reference: Engine;
  /** The engine to be checked (WebGPU). */
  readonly candidate: Engine | undefined;
  readonly model: Uint8Array;
  /** One representative batch. */
  readonly feeds: Feeds;
  /** What the candidate runs instead, where another form of the model suits it. */
  readonly candidateForm?: ModelForm;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** The candidate runs wherever it agrees, however fast it is. @defaultValue false */
  readonly insist?: boolean;
  /** @defaultValue 1e-3 */
  readonly maxRelativeError?: number;
  /** Timed runs of each engine after one warm-up run. @defaultValue 5 */
  readonly runs?: number;
}

/** Another graph that computes the same. */
export interface ModelForm {
  readonly model: () => Promise<Uint8Array>;
  /** The same batch, as this graph takes it. */
  readonly feeds: () => Feeds;
  /** Its outputs by the names that the reference has for them. */
  readonly outputNames: Readonly<Record<string, string>>;
}

/** The choice with its session, ready to run; the loser's session is released. */
export interface ChosenEngine {
  readonly choice: EngineChoice;
  readonly session: Session;
}

export async function chooseEngine(options: ChooseEngineOptions): Promise<ChosenEngine> {
  const { reference, candidate, model, feeds, clock, runs = 5, candidateForm, insist = false } = options;
  const trusted = await reference.load(model);
  const choiceOf = (
    engine: EngineName,
    reason: EngineChoiceReason,
    relativeError: number | null,
    medianMs: EngineChoice["medianMs"],
  ): EngineChoice => ({
    engine,
    reference: reference.name,
    candidate: candidate?.name ?? null,
    reason,
    relativeError,
    medianMs,
  });
  if (candidate === undefined) {
    return { choice: choiceOf(reference.name, "only-engine", null, {}), session: trusted };
  }
  try {
    await trusted.run(feeds);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { choice: { ...choiceOf(reference.name, "no-sample", null, {}), message }, session: trusted };
  }
  let tried: Session | undefined;
  try {
    tried = await candidate.load(candidateForm === undefined ? model : await candidateForm.model());
    const first: CheckedRun = { session: trusted, feeds };
    const second: CheckedRun =
      candidateForm === undefined
        ? { session: tried, feeds }
        : { session: tried, feeds: candidateForm.feeds(), outputNames: candidateForm.outputNames };
    const { agrees, relativeError: error } = await checkAgainst(first, second, options.maxRelativeError);
    if (!agrees) {
      await tried[Symbol.asyncDispose]();
      return { choice: choiceOf(reference.name, "disagrees", error, {}), session: trusted };
    }
    if (insist) {
      await trusted[Symbol.asyncDispose]();
      return { choice: choiceOf(candidate.name, "insisted", error, {}), session: tried };
    }
    const medianMs = await measure([first, second], runs, clock);
    const candidateWins = medianMs[candidate.name]! < medianMs[reference.name]!;
    await (candidateWins ? trusted : tried)[Symbol.asyncDispose]();
    return {
      choice: choiceOf(candidateWins ? candidate.name : reference.name, "faster", error, medianMs),
      session: candidateWins ? tried : trusted,
    };
  } catch (error) {
    await tried?.[Symbol.asyncDispose]();
    const message = error instanceof Error ? error.message : String(error);
    return { choice: { ...choiceOf(reference.name, "failed", null, {}), message }, session: trusted };
  }
}

/** A session, and one batch as it takes it. */
export interface CheckedRun {
  readonly session: Session;
  readonly feeds: Feeds;
  /** Of a candidate: its outputs by the names that the reference has for them. @defaultValue the same names */
  readonly outputNames?: Readonly<Record<string, string>>;
}

/**
 * Runs one batch on two engines and compares every output of the reference.
 *
 * @param maxRelativeError - 1e-3 where left out
 * @throws what the engines throw
 */
export async function checkAgainst(
  reference: CheckedRun,
  candidate: CheckedRun,
  maxRelativeError: number = MAX_RELATIVE_ERROR,
): Promise<CheckResult> {
  const expected = await reference.session.run(reference.feeds);
  const raw = await candidate.session.run(candidate.feeds);
  const { outputNames = {} } = candidate;
  const got: Record<string, Tensor> = {};
  for (const name of Object.keys(expected)) {
    const value = raw[outputNames[name] ?? name];
    if (value !== undefined) got[name] = value;
  }
  return compareOutputs(expected, got, maxRelativeError);
}

/** Interleaved, so that a busy moment of the machine hits both. */
async function measure(
  checked: readonly CheckedRun[],
  runs: number,
  clock: Pick<Clock, "monotonicMs">,
): Promise<Partial<Record<EngineName, number>>> {
  const times = new Map<EngineName, number[]>(checked.map(({ session }) => [session.engine, []]));
  for (let run = 0; run < runs; run++) {
    for (const { session, feeds } of checked) {
      const start = clock.monotonicMs();
      await session.run(feeds);
      times.get(session.engine)!.push(clock.monotonicMs() - start);
    }
  }
  const medians: Partial<Record<EngineName, number>> = {};
  for (const [name, list] of times) {
    medians[name] = [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
  }
  return medians;
}
