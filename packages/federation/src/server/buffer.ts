import { failure, type ModelVersion, type RoundId } from "@tributary/core";

/** The buffered asynchronous mode's rules, fixed for a task. */
export interface BufferConfig {
  /** K: updates that make a version. */
  readonly bufferSize: number;
  /** The most versions that a base may lie behind the newest one. */
  readonly maxStaleness: number;
}

/** A cohort's sum that waits for its version: what the rule has to know of it. */
export interface BufferedCohort {
  /** The cohort is a round. */
  readonly roundId: RoundId;
  /** All its members trained from this version. */
  readonly baseVersion: ModelVersion;
  /** Members in the sum. */
  readonly updates: number;
}

/** A cohort with how many versions its base lies behind the one that its sum is added to. */
export interface StaleCohort extends BufferedCohort {
  readonly staleness: number;
}

export interface BufferState {
  /** The newest version. */
  readonly head: ModelVersion;
  /** In the order of their coming; none of them is in `committing`. */
  readonly pending: readonly BufferedCohort[];
  /** What the commit under way is made of; null: there is none. */
  readonly committing: readonly StaleCohort[] | null;
}

export type BufferInput =
  /** A cohort's sum was stored. */
  | { readonly type: "cohort"; readonly cohort: BufferedCohort }
  | { readonly type: "committed"; readonly version: ModelVersion }
  /** Nothing of the commit was stored; `retry` begins it anew. */
  | { readonly type: "commit-failed" }
  | { readonly type: "retry" }
  /** A version that this buffer did not make became the newest one. */
  | { readonly type: "replaced"; readonly version: ModelVersion };

/** What the driver has to do after a step, in this order. */
export type BufferEffect =
  /** These sums will be in no version. */
  | {
      readonly type: "discard";
      readonly roundIds: readonly RoundId[];
      readonly code: "round/superseded" | "round/base-replaced";
    }
  /** Make a version of these sums upon the newest one; then `committed`, `commit-failed` or `replaced`. */
  | { readonly type: "commit"; readonly base: ModelVersion; readonly cohorts: readonly StaleCohort[] };

export interface BufferStep {
  readonly state: BufferState;
  readonly effects: readonly BufferEffect[];
}

/**
 * A buffer that was left with these cohorts; `retry` makes it commit if they are enough.
 *
 * @throws RangeError when bufferSize is below 1 or maxStaleness below 0
 */
export function initialBuffer(
  { bufferSize, maxStaleness }: BufferConfig,
  head: ModelVersion,
  pending: readonly BufferedCohort[] = [],
): BufferState {
  if (!(bufferSize >= 1 && maxStaleness >= 0)) {
    throw new RangeError(
      `initialBuffer: bufferSize >= 1 and maxStaleness >= 0 expected, got ${bufferSize}, ${maxStaleness}`,
    );
  }
  return { head, pending, committing: null };
}

/** How many versions a base lies behind the newest one. */
export function stalenessOf({ head }: Pick<BufferState, "head">, base: ModelVersion): number {
  return head - base;
}

/** Whether sums on this base may still enter: at most maxStaleness + 1 bases are live at a time. */
export function isLiveBase(
  { maxStaleness }: BufferConfig,
  state: Pick<BufferState, "head">,
  base: ModelVersion,
): boolean {
  const staleness = stalenessOf(state, base);
  return staleness >= 0 && staleness <= maxStaleness;
}

/** Updates that wait for the next version. */
export function bufferedUpdates({ pending }: Pick<BufferState, "pending">): number {
  return pending.reduce((sum, { updates }) => sum + updates, 0);
}

/**
 * Buffered asynchronous aggregation (Nguyen et al. 2022, https://arxiv.org/abs/2106.06639) by cohorts: sums come in while
 * devices go on training, and as soon as they are of K updates they make a version. One commit at a time; what comes
 * meanwhile waits for the next. Pure: the same inputs give the same states and effects.
 *
 * @throws federation/invalid-transition for a driver's mistake
 */
export function stepBuffer(config: BufferConfig, state: BufferState, input: BufferInput): BufferStep {
  switch (input.type) {
    case "cohort":
      return enter(config, state, input.cohort);
    case "committed":
      if (state.committing === null || input.version <= state.head) throw invalid(state, input.type);
      return moveOn(config, { ...state, head: input.version, committing: null });
    case "commit-failed": {
      // A replaced base has ended it already.
      if (state.committing === null) return { state, effects: [] };
      const back = state.committing.map(({ roundId, baseVersion, updates }) => ({
        roundId,
        baseVersion,
        updates,
      }));
      return { state: { ...state, pending: [...back, ...state.pending], committing: null }, effects: [] };
    }
    case "retry":
      return moveOn(config, state);
    case "replaced": {
      if (input.version <= state.head) return { state, effects: [] };
      // Sums of changes to other weights are no changes to these.
      const all = [...(state.committing ?? []), ...state.pending].map(({ roundId }) => roundId);
      return {
        state: { head: input.version, pending: [], committing: null },
        effects: all.length === 0 ? [] : [{ type: "discard", roundIds: all, code: "round/base-replaced" }],
      };
    }
    default: {
      const never: never = input;
      throw new TypeError(`buffer: no such input ${String(never)}`);
    }
  }
}

function enter(config: BufferConfig, state: BufferState, cohort: BufferedCohort): BufferStep {
  const { roundId } = cohort;
  if (!isLiveBase(config, state, cohort.baseVersion)) {
    return { state, effects: [{ type: "discard", roundIds: [roundId], code: "round/superseded" }] };
  }
  const known = [...(state.committing ?? []), ...state.pending].some((each) => each.roundId === roundId);
  if (known) return { state, effects: [] };
  return moveOn(config, { ...state, pending: [...state.pending, cohort] });
}

/** Drops what has become too stale, and commits when the rest is enough. */
function moveOn(config: BufferConfig, state: BufferState): BufferStep {
  const live = state.pending.filter(({ baseVersion }) => isLiveBase(config, state, baseVersion));
  const dropped = state.pending.filter((cohort) => !live.includes(cohort)).map(({ roundId }) => roundId);
  const effects: BufferEffect[] =
    dropped.length === 0 ? [] : [{ type: "discard", roundIds: dropped, code: "round/superseded" }];
  if (state.committing !== null || bufferedUpdates({ pending: live }) < config.bufferSize) {
    return { state: { ...state, pending: live }, effects };
  }
  const cohorts = live.map((cohort) => ({ ...cohort, staleness: stalenessOf(state, cohort.baseVersion) }));
  effects.push({ type: "commit", base: state.head, cohorts });
  return { state: { ...state, pending: [], committing: cohorts }, effects };
}

function invalid({ head, committing }: BufferState, input: string): Error {
  return failure(
    "federation/invalid-transition",
    `federation: a buffer on version ${head} got ${input} ${committing === null ? "without a commit under way" : "for an earlier version"}`,
    { detail: { input, head } },
  );
}
