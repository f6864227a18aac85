import type { RolloutRecord } from "../../ports/rollout-records.ts";
import type { Finding, Watch } from "../finding.ts";

const HOUR_MS = 3_600_000;
/** Rollouts of a model that are looked at. */
const NEWEST = 20;

/** The last rollout of a channel, where not an operator but a gate or a deadline stopped it, or one of its arms. */
export const rolloutFailed: Watch = async ({ store }, _, { threshold, now }) => {
  const findings: Finding[] = [];
  for (const { name } of await store.models.list()) {
    const seen = new Set<string>();
    for (const record of await store.rollouts.list(name, { limit: NEWEST })) {
      if (seen.has(record.channel)) continue;
      seen.add(record.channel);
      const stopped = stoppedBy(record);
      if (stopped === undefined || now - stopped.at > threshold * HOUR_MS) continue;
      const { model, channel, rollout } = record;
      findings.push({
        subject: { model, channel, rollout },
        value: (now - stopped.at) / HOUR_MS,
        summary: `Rollout ${rollout} of ${model} ${stopped.what}: ${stopped.why}`.slice(0, 512),
        advice: `tributary rollout status ${model} shows what its gates found.`,
      });
    }
  }
  return findings;
};

function stoppedBy({
  state,
}: RolloutRecord): { readonly at: number; readonly what: string; readonly why: string } | undefined {
  if (state.phase === "rolled-back" && state.reason.code !== "operator")
    return { at: state.endedAt, what: "was rolled back", why: state.reason.message };
  if (state.phase === "paused" && state.reason.code !== "operator")
    return { at: state.pausedAt, what: "was paused", why: state.reason.message };
  if (state.phase !== "running") return undefined;
  const arm = state.arms.find(({ ended }) => ended !== null && ended.code !== "operator");
  return arm && { at: state.since, what: `withdrew its arm ${arm.name}`, why: arm.ended?.message ?? "" };
}
