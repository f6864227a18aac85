import type { RoundView, StatusView, TaskView } from "@tributary/api-client";

const STEP_WORDS = {
  advertise: "members show their keys",
  share: "members share their secrets",
  mask: "members send masked vectors",
  sign: "members sign who is in the sum",
  unmask: "members open the masks of the sum",
} as const;

/** Sums of fewer members are a trial, and not private. */
const PRIVATE_COHORT = 16;

/** Whether a task's rounds are summed under masks: in a word, and in a sentence. */
export function secureTask({ spec: { secureAggregation } }: TaskView): {
  readonly word: "on" | "trial" | "off";
  readonly sentence: string;
} {
  const { mode, minimumCohort } = secureAggregation;
  if (mode === "off") {
    return { word: "off", sentence: "This task has opted out: this coordinator sees each update." };
  }
  if (minimumCohort < PRIVATE_COHORT) {
    return { word: "trial", sentence: `Not private: sums may be of ${minimumCohort} devices.` };
  }
  return { word: "on", sentence: `This coordinator sees sums of at least ${minimumCohort} devices.` };
}

/** The same of one round, for a table. */
export function secureWord({ secure }: RoundView): "yes" | "trial" | "no" {
  if (secure === null) return "no";
  return secure.private ? "yes" : "trial";
}

/** What this coordinator could see of one device in a round, and who says who is a device, in one line. */
export function secureLine(round: RoundView, issuer: StatusView["issuer"] | undefined): string {
  const { secure } = round;
  if (secure === null)
    return "Without secure aggregation: this coordinator sees each update before it adds it.";
  const { cohort, survivors, threshold } = secure;
  const what = secure.private
    ? `each update is hidden in a sum of at least ${threshold}, also from a coordinator that lies in the protocol`
    : `a trial and not private, its sums may be of ${threshold}`;
  return `Secure aggregation: ${what}; ${vouchedFor(issuer)}. ${progress(round, { cohort, survivors })}`;
}

function vouchedFor(issuer: StatusView["issuer"] | undefined): string {
  if (issuer === undefined) return "who vouches for membership is not known yet";
  return `membership is vouched for by ${issuer.kind === "coordinator" ? "this server" : issuer.name}`;
}

function progress(
  { phase, secure }: RoundView,
  { cohort, survivors }: { readonly cohort: number; readonly survivors: number },
): string {
  if (secure === null || cohort === 0) return "No cohort yet.";
  if (phase === "committed") return `The sum is over ${survivors} of ${cohort} members.`;
  if (phase === "abandoned") return "No sum came out.";
  if (phase === "aggregating" && secure.unmasked < 1) {
    return `Taking off the masks of ${survivors} members, ${Math.floor(100 * secure.unmasked)} % done.`;
  }
  if (phase === "aggregating") return `The sum is over ${survivors} of ${cohort} members.`;
  return `Now ${STEP_WORDS[secure.step]}, ${survivors} of ${cohort} in the sum.`;
}

export interface SecureStep {
  readonly step: keyof typeof STEP_WORDS;
  readonly words: string;
  readonly state: "done" | "under way" | "to come" | "not reached";
  /** Members who did not answer in it. */
  readonly lost: number;
}

/** The steps of a round's secure sum, in their order. */
export function secureSteps({ secure, phase }: Pick<RoundView, "secure" | "phase">): readonly SecureStep[] {
  if (secure === null) return [];
  const steps = Object.keys(STEP_WORDS) as (keyof typeof STEP_WORDS)[];
  const at = steps.indexOf(secure.step);
  const done = phase === "committed" || phase === "buffered" || phase === "aggregating";
  const over = phase === "abandoned";
  return steps.map((step, i) => ({
    step,
    words: STEP_WORDS[step],
    state:
      done || i < at
        ? "done"
        : over
          ? "not reached"
          : i === at && secure.cohort > 0
            ? "under way"
            : "to come",
    lost: secure.lost[step],
  }));
}
