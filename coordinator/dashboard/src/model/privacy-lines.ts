import type { PrivacyView, TaskPrivacy, TaskView } from "@tributary/api-client";

type Spec = TaskView["spec"];

/** A sum of fewer hides too little: as the protocol has it. */
const PRIVATE_FLOOR = 16;

/** What the coordinator learns from a device that takes part, for people who are no engineers. */
export function revealedLines({
  secureAggregation,
  kind,
}: Pick<Spec, "secureAggregation" | "kind">): readonly string[] {
  const did = kind === "train" ? "learned" : "counted";
  if (secureAggregation.mode === "off")
    return [
      `The coordinator receives what each device ${did} from each device by itself, and could look at it before it adds it up.`,
      "Nothing hides one device among the others in this task.",
    ];
  const { minimumCohort } = secureAggregation;
  const few =
    minimumCohort < PRIVATE_FLOOR
      ? ` Fewer than ${PRIVATE_FLOOR} is a trial, and not private: who knows most of the others' contributions learns the last one's.`
      : "";
  return [
    `The coordinator learns only the sum over all devices of a round, never what a single one ${did}: each device adds random numbers that cancel out in the sum.`,
    `A sum is only ever of ${minimumCohort} devices or more; with fewer the round is given up and nothing is learned.${few}`,
    "The coordinator does learn which devices took part, when, and how many examples they had together.",
  ];
}

/** Whether what a task's rounds did so far was private, and why not. */
export function roundsLine({ rounds, leastHidden }: TaskPrivacy): string {
  const others = rounds.notPrivate.reduce((sum, each) => sum + each.rounds, 0);
  if (rounds.private + others === 0) return "No round has ended in a sum yet.";
  const hidden =
    leastHidden === null ? "" : ` Under masks each contribution was hidden among at least ${leastHidden}.`;
  if (others === 0) return `All ${rounds.private} rounds were private.${hidden}`;
  const why = rounds.notPrivate
    .map(({ why: reason, rounds: count }) => `${count} ${REASONS[reason]}`)
    .join(", ");
  return `${rounds.private} of ${rounds.private + others} rounds were private; of the others ${why}.${hidden}`;
}

const REASONS: Readonly<Record<TaskPrivacy["rounds"]["notPrivate"][number]["why"], string>> = {
  plain: "had each contribution in the open, because the task says so",
  "small-cohort": `could have given a sum of fewer than ${PRIVATE_FLOOR}`,
};

/** Who says that a device is one of the app's. */
export function issuerLine({ issuer }: PrivacyView): string {
  return issuer.kind === "outside"
    ? `${issuer.name}, another party than this coordinator, vouches for the devices. The coordinator cannot invent members of a sum by itself.`
    : `This coordinator itself vouches for the devices. It could invent members of a sum and so learn a real one's contribution: an issuer of the app's own rules that out.`;
}

/** Whether the log can be checked, and how far it is signed. */
export function logLine({ certificateLog: { size, signed } }: PrivacyView): string {
  if (size === 0) return "No device has been given a certificate yet.";
  if (signed === null) return `${count(size, "certificate")} in the log; its head is not signed yet.`;
  const newer = size - signed.size;
  const rest = newer === 0 ? "all of them under the signed head" : `${newer} since the head was signed`;
  return `${count(size, "certificate")} in the public log, ${rest}. Devices refuse members that are not in it; whoever kept an earlier head finds out whether anything was changed or removed.`;
}

export function erasureLine({ erasures }: PrivacyView): string {
  return erasures.requests === 0
    ? "No device has asked to be forgotten."
    : `${count(erasures.requests, "device")} asked to be forgotten, and were: what has to stay of them goes under another name.`;
}

export function healthLine({ devices }: PrivacyView): string {
  return devices.tellingHealth === 0
    ? "No device tells how the versions on it run. An app would have to switch that on, and it is told under the device's own name."
    : `${count(devices.tellingHealth, "device")} of ${devices.enrolled} tell how the versions on them run: how often, how fast and with which errors, under their own name, and nothing of what they were asked.`;
}

export function retentionLines({ retention }: PrivacyView): readonly string[] {
  return [
    `Which devices took part in a round, and when: ${retention.journalDays} days in full; afterwards the audit log knows them by other names.`,
    `How versions run on a device: ${retention.healthDays} days after it told of it last.`,
    retention.keepsAggregates
      ? "Sums of rounds are kept, so that a version can be made again; single contributions are not."
      : "Neither sums nor single contributions are kept.",
    "Certificates stay in the log for good: they name a device by a random number and nobody else.",
  ];
}

/** What devices count, as words: `lossSum` is "loss sum". */
export function metricWords(names: readonly string[]): readonly string[] {
  return names.map((name) =>
    name.replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`),
  );
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
