import {
  ISSUER_TARGET,
  logHeadOf,
  parseIssuerDocument,
  parseMeasurementPlan,
  parsePlan,
  type IssuerDocument,
  type LogHead,
  type MeasurementPlan,
  type Plan,
} from "@tributary/protocol";
import type { TargetFile } from "@tributary/tuf";
import type { Releases } from "../updater/releases.ts";

/** A verified plan and the digest it was signed for with. */
export interface VerifiedPlan {
  readonly plan: Plan;
  readonly target: TargetFile;
}

/** A verified plan of measurements and the digest it was signed for with. */
export interface VerifiedMeasurementPlan {
  readonly plan: MeasurementPlan;
  readonly target: TargetFile;
}

export interface PlanPath {
  readonly task: string;
  readonly path: string;
}

/** What was released for those who take part in rounds. */
export interface Plans {
  /** @throws `tuf/target-missing` */
  plan(path: string, signal?: AbortSignal): Promise<VerifiedPlan>;
  /** @throws `tuf/target-missing` */
  measurementPlan(path: string, signal?: AbortSignal): Promise<VerifiedMeasurementPlan>;
  /** Who vouches for the members of cohorts. @throws `tuf/target-missing` */
  issuer(signal?: AbortSignal): Promise<IssuerDocument>;
  /** The certificate log's head in the verified timestamp; `undefined` where there is none. */
  logHead(): LogHead | undefined;
  /** Paths of the newest plan of each task. */
  newestPlans(): readonly PlanPath[];
  /** Paths of the newest plan of measurements of each task that has one. */
  newestMeasurementPlans(): readonly PlanPath[];
}

/** Releases, and the plans among them. */
export type PlannedReleases = Releases & Plans;

const PLAN_PATH = /^plans\/([a-z0-9-]+)\/(\d+)\.json$/;
const MEASUREMENT_PLAN_PATH = /^measurements\/([a-z0-9-]+)\/(\d+)\.json$/;

export function withPlans(releases: Releases): PlannedReleases {
  return {
    ...releases,
    async plan(path, signal) {
      const file = releases.target(path);
      return { plan: parsePlan(await releases.fetchTarget(path, { signal })), target: file };
    },
    async measurementPlan(path, signal) {
      const file = releases.target(path);
      return { plan: parseMeasurementPlan(await releases.fetchTarget(path, { signal })), target: file };
    },
    async issuer(signal) {
      return parseIssuerDocument(await releases.fetchTarget(ISSUER_TARGET, { signal }));
    },
    logHead: () => logHeadOf(releases.timestampCustom()),
    newestPlans: () => newestPaths(releases.paths(), PLAN_PATH),
    newestMeasurementPlans: () => newestPaths(releases.paths(), MEASUREMENT_PLAN_PATH),
  };
}

/** Of paths that name a task and a number, the highest number of each task. */
function newestPaths(paths: Iterable<string>, pattern: RegExp): readonly PlanPath[] {
  const newest = new Map<string, { path: string; number: number }>();
  for (const path of paths) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const [, task = "", digits] = match;
    const number = Number(digits);
    if (number > (newest.get(task)?.number ?? -1)) newest.set(task, { path, number });
  }
  return [...newest].map(([task, { path }]) => ({ task, path }));
}
