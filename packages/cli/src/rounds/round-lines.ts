import type { RefusalView, RoundView } from "@tributary/api-client";
import { formatBytes, formatNumber, formatPercent } from "../start/format.ts";
import { phaseLine } from "../start/round-table.ts";

/** All that is known of a round, for a person. */
export function roundLines(round: RoundView, refusals: readonly RefusalView[]): readonly string[] {
  const { id, model, purpose, baseVersion, startedAt, endedAt, deadlineAt, seconds } = round;
  const end =
    endedAt === null
      ? deadlineAt === null
        ? ""
        : `, until ${deadlineAt} at the latest`
      : `, ended ${endedAt}, ${formatNumber(seconds, 1)} s`;
  return [
    `${id}: ${purpose} ${model}, from version ${baseVersion}`,
    `  ${phaseLine(round)}`,
    `  began ${startedAt}${end}`,
    `  cohort    ${round.offered} offered, ${round.ready} ready, ${round.cohort} asked to report, ${round.reported} reported, ${round.dropouts} dropped out, ${round.refused} refused`,
    ...secureLines(round.secure),
    `  examples  ${round.numExamples}`,
    `  training  loss ${formatNumber(round.trainLoss, 4)}, accuracy ${formatPercent(round.trainAccuracy)}`,
    `  measured  loss ${formatNumber(round.loss, 4)}, accuracy ${formatPercent(round.accuracy)}`,
    `  traffic   ${formatBytes(round.bytesUp)} up, ${formatBytes(round.bytesDown)} down`,
    ...refusals.map(({ at, device, code }) => `  refused   ${at}  ${device}  ${code}`),
  ];
}

function secureLines(secure: RoundView["secure"]): readonly string[] {
  if (secure === null) return ["  secure    no: the coordinator saw each update"];
  const { cohort, threshold, survivors, lost } = secure;
  const steps = Object.entries(lost).filter(([, count]) => count > 0);
  const losses = steps.length === 0 ? "" : `; lost ${steps.map(([step, n]) => `${n} at ${step}`).join(", ")}`;
  const word = secure.private ? "the sum alone was seen" : "a trial, too few to hide one update";
  return [`  secure    ${word}: ${survivors} of ${cohort} in the sum, at least ${threshold} needed${losses}`];
}
