import Type, { type Static } from "typebox";
import { textEnum } from "./schema.ts";
import type { DocumentFault } from "./training-faults.ts";

export const TASK_MODES = ["synchronous", "buffered"] as const;

const FIELDS = {
  type: textEnum(TASK_MODES, {
    default: "synchronous",
    description:
      "synchronous: one cohort makes a version, then the next begins; buffered: devices train all the time, and cohorts on several versions make one together",
  }),
  bufferSize: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: "buffered: K, the updates that make a version",
    }),
  ),
  maxStaleness: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 100,
      description: "buffered: most versions a base may lie behind the newest; 4 if left out",
    }),
  ),
  concurrency: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 100_000,
      description:
        "buffered: most devices that train from one version at a time; 100, or goalCount, if left out",
    }),
  ),
};

/** How rounds follow each other. What a type does not use is left out. */
export const TaskMode = Type.Object(FIELDS, { additionalProperties: false, default: {} });
export type TaskMode = Static<typeof TaskMode>;

/** The buffered asynchronous mode (FedBuff) with everything filled in. */
export interface BufferedMode {
  /** K: updates that make a version. */
  readonly bufferSize: number;
  /** The most versions a base may lie behind the newest. */
  readonly maxStaleness: number;
  /** The most devices that train from one base at a time. */
  readonly concurrency: number;
  /** Cohorts that a full buffer holds at least: none has more than goalCount members. */
  readonly groups: number;
}

interface Modal {
  readonly mode: TaskMode;
  readonly cohort: { readonly goalCount: number };
}

/** How a task is buffered; null: it is synchronous. */
export function bufferedMode({ mode, cohort: { goalCount } }: Modal): BufferedMode | null {
  const { type, bufferSize = goalCount, maxStaleness = 4, concurrency = 100 } = mode;
  if (type === "synchronous") return null;
  return {
    bufferSize,
    maxStaleness,
    concurrency: Math.max(goalCount, concurrency),
    groups: Math.ceil(bufferSize / goalCount),
  };
}

/** The first field of a mode that its type lacks or does not use, or the task rules out; undefined: there is none. */
export function modeFault({
  mode,
  cohort,
  kind,
}: Modal & { readonly kind: string }): DocumentFault | undefined {
  if (mode.type === "synchronous") {
    const stray = Object.keys(mode).find((key) => key !== "type");
    return stray === undefined
      ? undefined
      : { path: `/mode/${stray}`, problem: 'is not used: only "type": "buffered" takes settings' };
  }
  if (kind !== "train") {
    return { path: "/mode/type", problem: `must be synchronous for kind "${kind}", which makes no versions` };
  }
  if (mode.bufferSize === undefined) return { path: "/mode/bufferSize", problem: "is needed by buffered" };
  if (mode.concurrency !== undefined && mode.concurrency < cohort.goalCount) {
    return {
      path: "/mode/concurrency",
      problem: `must be at least goalCount (${cohort.goalCount}), or no cohort fills, got ${mode.concurrency}`,
    };
  }
  return undefined;
}
