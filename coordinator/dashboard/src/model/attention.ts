import type {
  AlertView,
  KeyRoleView,
  RolloutView,
  StatusView,
  TaskActivityView,
  TaskView,
} from "@tributary/api-client";
import { ALERTS, AUDIT, rolloutHref, taskHref, versionHref } from "../addresses.ts";
import { releaseNotices } from "./release-notices.ts";

/** Something that an operator should look at, and where. */
export interface Attention {
  readonly id: string;
  /** bad: something does not work; warn: it works, and may not for long. */
  readonly tone: "bad" | "warn";
  readonly title: string;
  readonly more?: string;
  /** The page that tells more; left out: there is none. */
  readonly href?: string;
}

export interface AttentionSources {
  readonly status: StatusView | undefined;
  readonly tasks: readonly TaskView[];
  /** Of tasks that run, by name. */
  readonly activities: ReadonlyMap<string, TaskActivityView>;
  readonly rollouts: readonly RolloutView[];
  readonly keys: readonly KeyRoleView[];
  /** Those that fire. */
  readonly alerts?: readonly AlertView[];
  readonly nowMs: number;
}

/** A task that failed this often in a row does not get better by itself. */
const FAILURES = 3;
/** What was taken back is told of for this long. */
const RECENT_MS = 7 * 86_400_000;

/** What is wrong, the worst first. */
export function attention(sources: AttentionSources): readonly Attention[] {
  const found = [
    ...storage(sources),
    ...sources.tasks.flatMap((task) => ofTask(task, sources.activities.get(task.name))),
    ...sources.rollouts.flatMap((rollout) => ofRollout(rollout, sources.nowMs)),
    ...releases(sources),
    ...alerts(sources),
  ];
  return [...found.filter(({ tone }) => tone === "bad"), ...found.filter(({ tone }) => tone === "warn")];
}

/** What the overview tells of by itself. */
const TOLD: ReadonlySet<AlertView["kind"]> = new Set([
  "storage-problem",
  "rounds-fail",
  "rollout-failed",
  "version-refused",
  "metadata-expires",
  "metadata-not-renewed",
  "signatures-missing",
]);

/** Those that nobody has seen. */
function alerts({ alerts: firing = [] }: AttentionSources): Attention[] {
  return firing
    .filter(
      ({ kind, state, acknowledgement, silencedUntil }) =>
        state === "firing" && acknowledgement === null && silencedUntil === null && !TOLD.has(kind),
    )
    .map(({ id, severity, summary, advice }) => ({
      id: `alert ${id}`,
      tone: severity === "critical" ? "bad" : "warn",
      title: summary,
      more: advice,
      href: ALERTS,
    }));
}

function storage({ status }: AttentionSources): Attention[] {
  const problem = status?.storageProblem ?? null;
  if (problem === null) return [];
  const title = problem.code === "store/quota-exceeded" ? "The disk is full" : "Nothing can be stored";
  return [
    { id: "storage", tone: "bad", title, more: "Rounds begin again by themselves once there is room." },
  ];
}

function ofTask({ name, state, reason }: TaskView, activity: TaskActivityView | undefined): Attention[] {
  const href = taskHref(name);
  // Whoever paused it knows.
  if (state === "paused" && reason !== null && reason.code !== "operator") {
    return [{ id: `${name} paused`, tone: "bad", title: `Task ${name} stopped`, more: reason.message, href }];
  }
  const failures = state === "running" ? (activity?.failures ?? 0) : 0;
  if (failures < FAILURES) return [];
  return [
    {
      id: `${name} fails`,
      tone: "bad",
      title: `${failures} rounds of ${name} failed in a row`,
      href,
    },
  ];
}

function ofRollout({ model, rollout, state, reason, steps }: RolloutView, nowMs: number): Attention[] {
  if (state !== "rolled-back") return [];
  const last = steps.flatMap(({ startedAt }) => (startedAt === null ? [] : [Date.parse(startedAt)])).at(-1);
  if (last !== undefined && nowMs - last > RECENT_MS) return [];
  return [
    {
      id: `${model} ${rollout}`,
      tone: "warn",
      title: `Rollout ${rollout} of ${model} was taken back`,
      ...(reason === null ? {} : { more: reason.message }),
      href: rolloutHref(model, rollout),
    },
  ];
}

function releases({ keys, status }: AttentionSources): Attention[] {
  const refused = status?.refusedVersions ?? [];
  return releaseNotices(keys, refused).map(({ id, title, text, command }): Attention => {
    const version = refused.find((each) => id === `${each.model} ${each.version} ${each.code}`);
    const expired = keys.some(({ role, expiresInDays }) => id.startsWith(role) && (expiresInDays ?? 1) < 0);
    return {
      id,
      tone: expired ? "bad" : "warn",
      title: title.replace(/\.$/, ""),
      more: command === undefined ? text : `${text} ${command}`,
      href: version === undefined ? AUDIT : versionHref(version.model, version.version),
    };
  });
}
