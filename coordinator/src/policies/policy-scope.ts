import { failure, type TaskName } from "@tributary/core";
import type { Policy } from "@tributary/protocol";
import { requireOperate, type About, type SubjectScope } from "../access/subject-scope.ts";
import type { PolicyDecisionRecord } from "../ports/alert-records.ts";

type Does = Pick<Policy, "does">;

/** What it changes. */
export function policyAbout({ does }: Does): About {
  return does.kind === "promote" ? { model: does.model } : { task: does.task };
}

/** Whoever sees all that it names. */
export function seesPolicy(scope: SubjectScope, policy: Does): boolean {
  const { does } = policy;
  const watched = does.kind === "promote" || scope("view", { task: does.telemetryTask });
  return watched && scope("view", policyAbout(policy));
}

/** Whoever sees what it was about, and what it rests on. */
export function seesDecision(
  scope: SubjectScope,
  { object: { model, task }, evidence: { telemetryTask } }: PolicyDecisionRecord,
): boolean {
  const rests = typeof telemetryTask !== "string" || scope("view", { task: telemetryTask as TaskName });
  return rests && scope("view", { ...(model && { model }), ...(task && { task }) });
}

/** A decision of this policy as it is now: one of its name may have been about something else. */
export function isOfPolicy({ does }: Does, { object: { model, task } }: PolicyDecisionRecord): boolean {
  return does.kind === "promote" ? model === does.model : task === does.task;
}

/** Of a name that is another's already, of which nothing more is said. @throws `identity/forbidden` */
export function requireSeen(scope: SubjectScope, policy: Does): void {
  if (!seesPolicy(scope, policy))
    throw failure("identity/forbidden", "policies: the name is that of another policy", {
      detail: { needs: "operate" },
    });
}

/** Whoever operates what it changes, and sees what it looks at. @throws `identity/forbidden` */
export function requirePolicy(scope: SubjectScope, policy: Does): void {
  requireOperate(scope, policyAbout(policy), "policies: one that changes");
  if (seesPolicy(scope, policy)) return;
  throw failure("identity/forbidden", "policies: it looks at a task that whoever asks may not see", {
    detail: { needs: "view" },
  });
}
