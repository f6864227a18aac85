import { failure, type TaskName } from "@tributary/core";
import type { SecurePlan } from "@tributary/protocol";
import type { TrustLimits } from "../trust-limits.ts";
import { requireIssuer } from "./require-issuer.ts";
import type { LogView } from "./log-view.ts";
import type { Plans } from "./plans.ts";

export interface SecureTaskOptions {
  readonly limits: TrustLimits;
  readonly log: Pick<LogView, "requireConsistent">;
  readonly releases: Pick<Plans, "issuer">;
}

/**
 * Before the device works for nothing: cohorts of a task are large enough for it, its members are vouched for by whom the app
 * believes, and the certificate log is the one it knows; or, where the task has opted out, the app lets it.
 *
 * @throws `secagg/required`, `secagg/cohort-too-small`, `identity/*`
 */
export async function requireSecureTask(
  task: TaskName,
  secure: SecurePlan | undefined,
  { limits, log, releases }: SecureTaskOptions,
  signal: AbortSignal,
): Promise<void> {
  if (secure === undefined) {
    if (!limits.requireSecureAggregation) return;
    throw failure("secagg/required", `learner: task ${task} has opted out, this device's app has not`, {
      detail: { task },
    });
  }
  requireCohort(secure.encoding.clients, limits.minimumCohort);
  requireIssuer(limits, secure, await releases.issuer(signal));
  await log.requireConsistent(signal);
}

/** No cohort of a task may be too small for the device. */
function requireCohort(most: number, minimumCohort: number): void {
  if (most >= minimumCohort) return;
  throw failure(
    "secagg/cohort-too-small",
    `learner: cohorts of the plan have at most ${most} members, this device asks for ${minimumCohort}`,
    { detail: { most, minimumCohort } },
  );
}
