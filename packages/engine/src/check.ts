/**
 * A WebGPU result is trusted after it was checked: onnxruntime's WebGPU provider silently miscomputes some shapes.
 * One batch runs on both engines; among those that agree the faster one is chosen by measurement.
 */
import type { Clock } from "@tributary/core";
import type { Tensor } from "@tributary/tensor";
import type { Engine, EngineName, Session } from "./engine.ts";

/** Largest accepted relative error between engines. They differ by about 1e-7 when both are right. */
export const MAX_RELATIVE_ERROR = 1e-3;

export type EngineChoiceReason =
  /** The other engine agreed and was measured slower. */
  | "faster"
  /** There is no second engine to compare with. */
  | "only-engine"
  /** The candidate computed something else: it is not used. */
  | "disagrees"
  /** The candidate could not load or run the model. */
  | "failed";

/** Plain data, so that callers can store it per model version. */
export interface EngineChoice {
  readonly engine: EngineName;
  readonly reason: EngineChoiceReason;
  /** Largest relative error seen between the two; null when there was nothing to compare. */
  readonly relativeError: number | null;
  /** Median run time in ms of each measured engine. */
  readonly medianMs: Readonly<Partial<Record<EngineName, number>>>;
  /** For `failed`: what the candidate said. */
  readonly message?: string;
}

export interface ChooseEngineOptions {
  /** The engine whose answer counts (WASM). */
  readonly reference: Engine;
  /** The engine to be checked (WebGPU). */
  readonly candidate: Engine | undefined;
  readonly model: Uint8Array;
  /** One representative batch. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** @defaultValue 1e-3 */
  readonly maxRelativeError?: number;
  /** Timed runs of each engine after one warm-up run. @defaultValue 5 */
  readonly runs?: number;
}

/** The choice with its session, ready to run; the loser's session is released. */
export interface ChosenEngine {
  readonly choice: EngineChoice;
  readonly session: Session;
}

export async function chooseEngine(options: ChooseEngineOptions): Promise<ChosenEngine> {
  const { reference, candidate, model, feeds, clock, runs = 5 } = options;
  const { maxRelativeError = MAX_RELATIVE_ERROR } = options;
  const trusted = await reference.load(model);
  if (candidate === undefined) {
    return { choice: choiceOf(reference.name, "only-engine", null, {}), session: trusted };
  }
  let tried: Session | undefined;
  try {
    tried = await candidate.load(model);
    const error = relativeError(await trusted.run(feeds), await tried.run(feeds));
    if (!(error <= maxRelativeError)) {
      await tried[Symbol.asyncDispose]();
      return { choice: choiceOf(reference.name, "disagrees", error, {}), session: trusted };
    }
    const medianMs = await measure(
      [
        [reference.name, trusted],
        [candidate.name, tried],
      ],
      feeds,
      runs,
      clock,
    );
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

function choiceOf(
  engine: EngineName,
  reason: EngineChoiceReason,
  error: number | null,
  medianMs: EngineChoice["medianMs"],
): EngineChoice {
  return { engine, reason, relativeError: error, medianMs };
}

/** Interleaved, so that a busy moment of the machine hits both. */
async function measure(
  sessions: readonly (readonly [EngineName, Session])[],
  feeds: ChooseEngineOptions["feeds"],
  runs: number,
  clock: Pick<Clock, "monotonicMs">,
): Promise<Partial<Record<EngineName, number>>> {
  const times = new Map<EngineName, number[]>(sessions.map(([name]) => [name, []]));
  for (let run = 0; run < runs; run++) {
    for (const [name, session] of sessions) {
      const start = clock.monotonicMs();
      await session.run(feeds);
      times.get(name)!.push(clock.monotonicMs() - start);
    }
  }
  const medians: Partial<Record<EngineName, number>> = {};
  for (const [name, list] of times) {
    medians[name] = [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
  }
  return medians;
}

/** Largest over all outputs of max|a-b| / max|a|; infinite when an output is missing, resized or not finite. */
export function relativeError(
  trusted: Readonly<Record<string, Tensor>>,
  tried: Readonly<Record<string, Tensor>>,
): number {
  let worst = 0;
  for (const [name, expected] of Object.entries(trusted)) {
    const got = tried[name];
    if (got === undefined || got.data.length !== expected.data.length) return Infinity;
    let difference = 0;
    let magnitude = 1e-12;
    for (let index = 0; index < expected.data.length; index++) {
      const a = Number(expected.data[index]);
      const b = Number(got.data[index]);
      if (a === b) {
        magnitude = Math.max(magnitude, Math.abs(a));
        continue;
      }
      if (!Number.isFinite(a) || !Number.isFinite(b)) return Infinity;
      difference = Math.max(difference, Math.abs(a - b));
      magnitude = Math.max(magnitude, Math.abs(a));
    }
    worst = Math.max(worst, difference / magnitude);
  }
  return worst;
}
