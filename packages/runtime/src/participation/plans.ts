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
import { requireOwn } from "../updater/require-own.ts";

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

export interface NewestPlans {
  readonly plans: readonly PlanPath[];
  /** Of tasks that measure, or measure too. */
  readonly measurementPlans: readonly PlanPath[];
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
  /** Paths of the newest plans of each of a model's tasks. */
  newestPlans(model: string, signal?: AbortSignal): Promise<NewestPlans>;
}

/** Releases, and the plans among them. */
export type PlannedReleases = Releases & Plans;

const PLAN_PATH = /^plans\/([a-z0-9-]+)\/(\d+)\.json$/;
const MEASUREMENT_PLAN_PATH = /^measurements\/([a-z0-9-]+)\/(\d+)\.json$/;
/** Of any plan: who is asked for one is asked for all. */
const SOME_PLAN = "plans/any/1.json";

export function withPlans(releases: Releases): PlannedReleases {
  return {
    ...releases,
    async plan(path, signal) {
      const file = await releases.target(path, signal);
      const plan = parsePlan(await releases.fetchTarget(path, { signal }));
      const { training, evaluation, model } = plan;
      const { target: train, webgpu, micro } = training;
      const cut = micro === undefined ? [] : [...micro.parts, micro.step];
      const graphs = [evaluation, ...(webgpu === undefined ? [] : [webgpu]), ...cut];
      requireOwn(model, [path, train, ...graphs.map(({ target }) => target)]);
      return { plan, target: file };
    },
    async measurementPlan(path, signal) {
      const file = await releases.target(path, signal);
      const plan = parseMeasurementPlan(await releases.fetchTarget(path, { signal }));
      requireOwn(plan.model, [path, ...(plan.kind === "evaluate" ? [plan.evaluation.target] : [])]);
      return { plan, target: file };
    },
    async issuer(signal) {
      return parseIssuerDocument(await releases.fetchTarget(ISSUER_TARGET, { signal }));
    },
    logHead: () => logHeadOf(releases.timestampCustom()),
    async newestPlans(model, signal) {
      const folder = `models/${model}/`;
      const names = await releases.namesBeside(folder + SOME_PLAN, signal);
      return {
        plans: newestPaths(names, folder, PLAN_PATH),
        measurementPlans: newestPaths(names, folder, MEASUREMENT_PLAN_PATH),
      };
    },
  };
}

/** Of paths in a folder that name a task and a number, the highest number of each task. */
function newestPaths(paths: readonly string[], folder: string, pattern: RegExp): readonly PlanPath[] {
  const newest = new Map<string, { path: string; number: number }>();
  for (const path of paths) {
    const match = path.startsWith(folder) ? pattern.exec(path.slice(folder.length)) : null;
    if (match === null) continue;
    const [, task = "", digits] = match;
    const number = Number(digits);
    if (number > (newest.get(task)?.number ?? -1)) newest.set(task, { path, number });
  }
  return [...newest].map(([task, { path }]) => ({ task, path }));
}
