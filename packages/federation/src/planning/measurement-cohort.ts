import type { TaskSpec } from "@tributary/protocol";

/** How many devices measure in a round. */
export interface MeasurementCohort {
  readonly goalCount: number;
  readonly minimumCount: number;
  /** Most members of a cohort. */
  readonly offerLimit: number;
}

/** By the task's own rule, of a gate by what its verdict has to rest on, with as much over-selection. */
export function measurementCohort({ gate, cohort }: Pick<TaskSpec, "gate" | "cohort">): MeasurementCohort {
  const { overSelection } = cohort;
  const minimumCount = gate?.minimumDevices ?? cohort.minimumCount;
  const goalCount = gate === null ? cohort.goalCount : Math.ceil(minimumCount * overSelection);
  return { goalCount, minimumCount, offerLimit: Math.ceil(goalCount * overSelection) };
}
